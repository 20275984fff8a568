package store

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

const eventColumns = `id, account_id, device_id, event_type, description, state_change, changes, data, date_time`

var events = listing[*cloud.DeviceEvent]{
	table:   "device_events",
	columns: eventColumns,
	counted: &counts{table: "event_counts", sum: "events", fields: map[string]string{"event_type": "event_type"}},
	fields: map[string]string{
		"date_time":    "date_time",
		"id":           "id",
		"device_id":    "device_id",
		"description":  "description",
		"event_type":   "event_type",
		"state_change": "state_change",
	},
	scan: scanEvent,
}

func scanEvent(row scanner) (*cloud.DeviceEvent, error) {
	var e cloud.DeviceEvent
	return &e, row.Scan(&e.ID, &e.AccountID, &e.DeviceID, &e.Type, &e.Description, &e.StateChange,
		document{&e.Changes}, document{&e.Data}, instant{&e.At})
}

// Event implements cloud.EventReader.
func (q *queries) Event(ctx context.Context, id string) (*cloud.DeviceEvent, error) {
	return one(ctx, q, scanEvent, `SELECT `+eventColumns+` FROM device_events WHERE id = $1`, id)
}

// Events implements cloud.EventReader.
func (q *queries) Events(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.DeviceEvent], error) {
	return list(ctx, q, events, accountID, query)
}

// InsertEvent implements cloud.EventWriter.
func (q *queries) InsertEvent(ctx context.Context, e *cloud.DeviceEvent) error {
	_, err := q.exec(ctx, `INSERT INTO device_events (`+eventColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		e.ID, e.AccountID, e.DeviceID, string(e.Type), e.Description, e.StateChange,
		document{e.Changes}, document{e.Data}, at(e.At))
	return err
}

// DeleteEvents implements cloud.EventWriter.
func (q *queries) DeleteEvents(ctx context.Context, before time.Time) (int, error) {
	return q.exec(ctx, `DELETE FROM device_events WHERE date_time < $1`, at(before))
}
