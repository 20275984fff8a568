package store

import (
	"context"

	"mbl/internal/cloud"
)

const deviceQueryColumns = `id, account_id, name, query, created_at, updated_at`

var deviceQueries = listing[*cloud.DeviceQuery]{
	table:   "device_queries",
	columns: deviceQueryColumns,
	fields: map[string]string{
		"created_at": "created_at",
		"etag":       "updated_at",
		"id":         "id",
		"name":       "name",
		"query":      "query",
		"updated_at": "updated_at",
	},
	scan: scanDeviceQuery,
}

func scanDeviceQuery(row scanner) (*cloud.DeviceQuery, error) {
	var d cloud.DeviceQuery
	return &d, row.Scan(&d.ID, &d.AccountID, &d.Name, &d.Query, instant{&d.CreatedAt}, instant{&d.UpdatedAt})
}

// DeviceQuery implements cloud.DeviceQueryReader.
func (q *queries) DeviceQuery(ctx context.Context, id string) (*cloud.DeviceQuery, error) {
	return one(ctx, q, scanDeviceQuery, `SELECT `+deviceQueryColumns+` FROM device_queries WHERE id = $1`, id)
}

// DeviceQueries implements cloud.DeviceQueryReader.
func (q *queries) DeviceQueries(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.DeviceQuery], error) {
	return list(ctx, q, deviceQueries, accountID, query)
}

// InsertDeviceQuery implements cloud.DeviceQueryWriter.
func (q *queries) InsertDeviceQuery(ctx context.Context, d *cloud.DeviceQuery) error {
	_, err := q.exec(ctx, `INSERT INTO device_queries (`+deviceQueryColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
		d.ID, d.AccountID, d.Name, d.Query, at(d.CreatedAt), at(d.UpdatedAt))
	return err
}

// UpdateDeviceQuery implements cloud.DeviceQueryWriter.
func (q *queries) UpdateDeviceQuery(ctx context.Context, d *cloud.DeviceQuery) error {
	return q.execOne(ctx, `UPDATE device_queries SET name = $2, query = $3, updated_at = $4 WHERE id = $1`,
		d.ID, d.Name, d.Query, at(d.UpdatedAt))
}

// DeleteDeviceQuery implements cloud.DeviceQueryWriter.
func (q *queries) DeleteDeviceQuery(ctx context.Context, id string) error {
	return q.execOne(ctx, `DELETE FROM device_queries WHERE id = $1`, id)
}
