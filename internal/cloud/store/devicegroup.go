package store

import (
	"context"

	"mbl/internal/cloud"
)

const deviceGroupColumns = `id, account_id, name, description, custom_attributes, created_at, updated_at`

var deviceGroups = listing[*cloud.DeviceGroup]{
	table:   "device_groups",
	columns: deviceGroupColumns + `, devices_count`,
	fields: map[string]string{
		"created_at":        "created_at",
		"custom_attributes": "custom_attributes",
		"devices_count":     "devices_count",
		"etag":              "updated_at",
		"id":                "id",
		"name":              "name",
		"updated_at":        "updated_at",
	},
	scan: scanDeviceGroup,
}

// devicesOfGroup are the devices as the group lists them.
var devicesOfGroup = listing[*cloud.Device]{
	table:   "device_group_members JOIN devices ON devices.id = device_group_members.device_id",
	scope:   "device_group_members.group_id",
	key:     "device_group_members.device_id",
	columns: deviceSelection,
	fields:  devices.fields,
	indexed: devices.indexed,
	counted: &counts{table: "device_groups", scope: "id", sum: "devices_count"},
	scan:    scanDevice,
}

func scanDeviceGroup(row scanner) (*cloud.DeviceGroup, error) {
	var g cloud.DeviceGroup
	return &g, row.Scan(&g.ID, &g.AccountID, &g.Name, &g.Description, document{&g.CustomAttributes},
		instant{&g.CreatedAt}, instant{&g.UpdatedAt}, &g.Devices)
}

// DeviceGroup implements cloud.DeviceGroupReader.
func (q *queries) DeviceGroup(ctx context.Context, id string) (*cloud.DeviceGroup, error) {
	return one(ctx, q, scanDeviceGroup, `SELECT `+deviceGroups.columns+` FROM device_groups WHERE id = $1`, id)
}

// DeviceGroups implements cloud.DeviceGroupReader.
func (q *queries) DeviceGroups(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.DeviceGroup], error) {
	return list(ctx, q, deviceGroups, accountID, query)
}

// DevicesOfGroup implements cloud.DeviceGroupReader.
func (q *queries) DevicesOfGroup(ctx context.Context, groupID string, query cloud.Query) (cloud.Page[*cloud.Device], error) {
	return list(ctx, q, devicesOfGroup, groupID, query)
}

// InsertDeviceGroup implements cloud.DeviceGroupWriter.
func (q *queries) InsertDeviceGroup(ctx context.Context, g *cloud.DeviceGroup) error {
	_, err := q.exec(ctx, `INSERT INTO device_groups (`+deviceGroupColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		g.ID, g.AccountID, g.Name, g.Description, document{attributes(g.CustomAttributes)}, at(g.CreatedAt), at(g.UpdatedAt))
	return err
}

// UpdateDeviceGroup implements cloud.DeviceGroupWriter.
func (q *queries) UpdateDeviceGroup(ctx context.Context, g *cloud.DeviceGroup) error {
	return q.execOne(ctx, `UPDATE device_groups SET name = $2, description = $3, custom_attributes = $4, updated_at = $5 WHERE id = $1`,
		g.ID, g.Name, g.Description, document{attributes(g.CustomAttributes)}, at(g.UpdatedAt))
}

// DeleteDeviceGroup implements cloud.DeviceGroupWriter.
func (q *queries) DeleteDeviceGroup(ctx context.Context, id string) error {
	return q.execOne(ctx, `DELETE FROM device_groups WHERE id = $1`, id)
}

// AddToDeviceGroup implements cloud.DeviceGroupWriter.
func (q *queries) AddToDeviceGroup(ctx context.Context, groupID, deviceID string) (bool, error) {
	added, err := q.exec(ctx, `INSERT INTO device_group_members (group_id, device_id) VALUES ($1, $2)
		ON CONFLICT (group_id, device_id) DO NOTHING`, groupID, deviceID)
	return added > 0, err
}

// RemoveFromDeviceGroup implements cloud.DeviceGroupWriter.
func (q *queries) RemoveFromDeviceGroup(ctx context.Context, groupID, deviceID string) (bool, error) {
	removed, err := q.exec(ctx, `DELETE FROM device_group_members WHERE group_id = $1 AND device_id = $2`, groupID, deviceID)
	return removed > 0, err
}
