package store

import (
	"context"

	"mbl/internal/cloud"
)

const deviceColumns = `id, account_id, endpoint_name, endpoint_type, name, description, custom_attributes, state, execution_mode,
	certificate_id, issuer_fingerprint, device_key, vendor_id, device_class, serial_number,
	bootstrapped_at, bootstrap_expires_at, connector_expires_at, created_at, updated_at`

// devices can also be filtered by fields that have one value in this service.
var devices = listing[*cloud.Device]{
	table:   "devices",
	columns: deviceColumns,
	fields: map[string]string{
		"account_id":                "account_id",
		"auto_update":               "FALSE",
		"bootstrap_expiration_date": "bootstrap_expires_at",
		"bootstrapped_timestamp":    "bootstrapped_at",
		"ca_id":                     "certificate_id",
		"connector_expiration_date": "connector_expires_at",
		"created_at":                "created_at",
		"custom_attributes":         "custom_attributes",
		"deployed_state":            "'development'",
		"deployment":                "''",
		"description":               "description",
		"device_class":              "device_class",
		"device_execution_mode":     "execution_mode",
		"device_key":                "device_key",
		"endpoint_name":             "endpoint_name",
		"endpoint_type":             "endpoint_type",
		"enrolment_list_timestamp":  "CAST(NULL AS BIGINT)",
		"etag":                      "updated_at",
		"firmware_checksum":         "''",
		"host_gateway":              "''",
		"id":                        "id",
		"manifest":                  "''",
		"manifest_timestamp":        "CAST(NULL AS BIGINT)",
		"mechanism":                 "'connector'",
		"mechanism_url":             "''",
		"name":                      "name",
		"serial_number":             "serial_number",
		"state":                     "state",
		"updated_at":                "updated_at",
		"vendor_id":                 "vendor_id",
	},
	scan: scanDevice,
}

func scanDevice(row scanner) (*cloud.Device, error) {
	var d cloud.Device
	return &d, row.Scan(&d.ID, &d.AccountID, &d.EndpointName, &d.EndpointType, &d.Name, &d.Description,
		document{&d.CustomAttributes}, &d.State, &d.ExecutionMode, &d.CertificateID, &d.IssuerFingerprint, &d.DeviceKey,
		&d.VendorID, &d.DeviceClass, &d.SerialNumber, instant{&d.BootstrappedAt}, instant{&d.BootstrapExpiresAt},
		instant{&d.ConnectorExpiresAt}, instant{&d.CreatedAt}, instant{&d.UpdatedAt})
}

// Device implements cloud.DeviceReader.
func (q *queries) Device(ctx context.Context, id string) (*cloud.Device, error) {
	return one(ctx, q, scanDevice, `SELECT `+deviceColumns+` FROM devices WHERE id = $1`, id)
}

// Devices implements cloud.DeviceReader.
func (q *queries) Devices(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.Device], error) {
	return list(ctx, q, devices, accountID, query)
}

// CountDevices implements cloud.DeviceReader.
func (q *queries) CountDevices(ctx context.Context, certificateID string) (int, error) {
	return q.count(ctx, `SELECT COUNT(*) FROM devices WHERE certificate_id = $1`, certificateID)
}

// InsertDevice implements cloud.DeviceWriter.
func (q *queries) InsertDevice(ctx context.Context, d *cloud.Device) error {
	_, err := q.exec(ctx, `INSERT INTO devices (`+deviceColumns+`) VALUES
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`, deviceValues(d)...)
	return err
}

// UpdateDevice implements cloud.DeviceWriter.
func (q *queries) UpdateDevice(ctx context.Context, d *cloud.Device) error {
	return q.execOne(ctx, `UPDATE devices SET account_id = $2, endpoint_name = $3, endpoint_type = $4, name = $5,
		description = $6, custom_attributes = $7, state = $8, execution_mode = $9, certificate_id = $10,
		issuer_fingerprint = $11, device_key = $12, vendor_id = $13, device_class = $14, serial_number = $15,
		bootstrapped_at = $16, bootstrap_expires_at = $17, connector_expires_at = $18, created_at = $19, updated_at = $20
		WHERE id = $1`, deviceValues(d)...)
}

// deviceValues are the values of deviceColumns.
func deviceValues(d *cloud.Device) []any {
	attributes := d.CustomAttributes
	if attributes == nil {
		attributes = map[string]string{}
	}
	return []any{
		d.ID, d.AccountID, d.EndpointName, d.EndpointType, d.Name, d.Description,
		document{attributes},
		string(d.State), d.ExecutionMode, d.CertificateID, d.IssuerFingerprint, d.DeviceKey,
		d.VendorID, d.DeviceClass, d.SerialNumber, at(d.BootstrappedAt), at(d.BootstrapExpiresAt),
		at(d.ConnectorExpiresAt), at(d.CreatedAt), at(d.UpdatedAt),
	}
}

// DeleteDevice implements cloud.DeviceWriter.
func (q *queries) DeleteDevice(ctx context.Context, id string) error {
	return q.execOne(ctx, `DELETE FROM devices WHERE id = $1`, id)
}
