package store

import (
	"context"

	"mbl/internal/cloud"
)

// deviceColumns are those that are written, deviceSelection what is read.
const (
	deviceColumns = `id, account_id, endpoint_name, endpoint_type, name, description, custom_attributes, state, execution_mode,
	certificate_id, issuer_fingerprint, device_key, vendor_id, device_class, serial_number,
	bootstrapped_at, bootstrap_expires_at, connector_expires_at, created_at, updated_at,
	auto_update, deployment, host_gateway, manifest, mechanism, mechanism_url`
	deviceSelection = deviceColumns + `,
	suspended, suspension_category, suspension_description, suspension_changed_at,
	(SELECT STRING_AGG(group_id, ',') FROM device_group_members WHERE device_id = devices.id)`
)

// devices can also be filtered by fields that have one value in this service.
var devices = listing[*cloud.Device]{
	table:   "devices",
	columns: deviceSelection,
	indexed: "device_attributes",
	counted: &counts{table: "device_counts", sum: "devices", fields: map[string]string{"account_id": "account_id", "state": "state"}},
	fields: map[string]string{
		"account_id":                "account_id",
		"auto_update":               "auto_update",
		"bootstrap_expiration_date": dayOf("bootstrap_expires_at"),
		"bootstrapped_timestamp":    "bootstrapped_at",
		"ca_id":                     "certificate_id",
		"connector_expiration_date": dayOf("connector_expires_at"),
		"created_at":                "created_at",
		"custom_attributes":         "custom_attributes",
		"deployed_state":            "CASE WHEN execution_mode = 5 THEN 'production' ELSE 'development' END",
		"deployment":                "deployment",
		"description":               "description",
		"device_class":              "device_class",
		"device_execution_mode":     "execution_mode",
		"device_key":                "device_key",
		"endpoint_name":             "endpoint_name",
		"endpoint_type":             "endpoint_type",
		"enrolment_list_timestamp":  "CAST(NULL AS BIGINT)",
		"etag":                      "updated_at",
		"firmware_checksum":         "''",
		"host_gateway":              "host_gateway",
		"id":                        "id",
		"issuer_fingerprint":        "issuer_fingerprint",
		"manifest":                  "manifest",
		"manifest_timestamp":        "CAST(NULL AS BIGINT)",
		"mechanism":                 "mechanism",
		"mechanism_url":             "mechanism_url",
		"name":                      "name",
		"serial_number":             "serial_number",
		"state":                     "state",
		"updated_at":                "updated_at",
		"vendor_id":                 "vendor_id",

		"lifecycle_status":                   "CASE WHEN suspended THEN 'blocked' ELSE 'enabled' END",
		"operator_suspended":                 "suspended",
		"last_operator_suspended_category":   "suspension_category",
		"last_operator_suspended_updated_at": "suspension_changed_at",
		"system_suspended":                   "FALSE",
		"last_system_suspended_category":     "''",
		"last_system_suspended_updated_at":   "CAST(NULL AS BIGINT)",
	},
	scan: scanDevice,
}

func scanDevice(row scanner) (*cloud.Device, error) {
	var d cloud.Device
	return &d, row.Scan(&d.ID, &d.AccountID, &d.EndpointName, &d.EndpointType, &d.Name, &d.Description,
		document{&d.CustomAttributes}, &d.State, &d.ExecutionMode, &d.CertificateID, &d.IssuerFingerprint, &d.DeviceKey,
		&d.VendorID, &d.DeviceClass, &d.SerialNumber, instant{&d.BootstrappedAt}, instant{&d.BootstrapExpiresAt},
		instant{&d.ConnectorExpiresAt}, instant{&d.CreatedAt}, instant{&d.UpdatedAt},
		&d.AutoUpdate, &d.Deployment, &d.HostGateway, &d.Manifest, &d.Mechanism, &d.MechanismURL,
		&d.Suspension.Active, &d.Suspension.Category, &d.Suspension.Description, instant{&d.Suspension.ChangedAt}, joined{&d.Groups})
}

// Device implements cloud.DeviceReader.
func (q *queries) Device(ctx context.Context, id string) (*cloud.Device, error) {
	return one(ctx, q, scanDevice, `SELECT `+deviceSelection+` FROM devices WHERE id = $1`, id)
}

// Devices implements cloud.DeviceReader.
func (q *queries) Devices(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.Device], error) {
	return list(ctx, q, devices, accountID, query)
}

// CountDevices implements cloud.DeviceReader.
func (q *queries) CountDevices(ctx context.Context, certificateID string) (int, error) {
	return q.count(ctx, `SELECT COUNT(*) FROM devices WHERE certificate_id = $1`, certificateID)
}

// DeviceCounts implements cloud.DeviceReader.
func (q *queries) DeviceCounts(ctx context.Context) (map[cloud.DeviceState]int, error) {
	type count struct {
		state   cloud.DeviceState
		devices int
	}
	scan := func(row scanner) (count, error) {
		var c count
		return c, row.Scan(&c.state, &c.devices)
	}
	all, err := many(ctx, q, scan, `SELECT state, CAST(SUM(devices) AS BIGINT) FROM device_counts GROUP BY state`)
	if err != nil {
		return nil, err
	}
	byState := map[cloud.DeviceState]int{}
	for _, one := range all {
		byState[one.state] = one.devices
	}
	return byState, nil
}

// InsertDevice implements cloud.DeviceWriter.
func (q *queries) InsertDevice(ctx context.Context, d *cloud.Device) error {
	_, err := q.exec(ctx, `INSERT INTO devices (`+deviceColumns+`) VALUES
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
		$21, $22, $23, $24, $25, $26)`,
		d.ID, d.AccountID, d.EndpointName, d.EndpointType, d.Name, d.Description,
		document{attributes(d.CustomAttributes)}, string(d.State), d.ExecutionMode, d.CertificateID, d.IssuerFingerprint, d.DeviceKey,
		d.VendorID, d.DeviceClass, d.SerialNumber, at(d.BootstrappedAt), at(d.BootstrapExpiresAt),
		at(d.ConnectorExpiresAt), at(d.CreatedAt), at(d.UpdatedAt),
		d.AutoUpdate, d.Deployment, d.HostGateway, d.Manifest, d.Mechanism, d.MechanismURL)
	return err
}

// UpdateDeviceState implements cloud.DeviceWriter.
func (q *queries) UpdateDeviceState(ctx context.Context, d *cloud.Device) error {
	return q.execOne(ctx, `UPDATE devices SET endpoint_type = $2, state = $3, updated_at = $4 WHERE id = $1`,
		d.ID, d.EndpointType, string(d.State), at(d.UpdatedAt))
}

// UpdateDevice implements cloud.DeviceWriter. What stays the same when a
// device comes and goes is a statement of its own, which mostly finds it
// unchanged: the engine writes every index of a column that it sets.
func (q *queries) UpdateDevice(ctx context.Context, d *cloud.Device) error {
	err := q.execOne(ctx, `UPDATE devices SET endpoint_type = $2, state = $3, bootstrapped_at = $4, bootstrap_expires_at = $5,
		connector_expires_at = $6, updated_at = $7, auto_update = $8, deployment = $9, host_gateway = $10, manifest = $11,
		mechanism = $12, mechanism_url = $13, execution_mode = $14, issuer_fingerprint = $15 WHERE id = $1`,
		d.ID, d.EndpointType, string(d.State), at(d.BootstrappedAt), at(d.BootstrapExpiresAt),
		at(d.ConnectorExpiresAt), at(d.UpdatedAt), d.AutoUpdate, d.Deployment, d.HostGateway, d.Manifest,
		d.Mechanism, d.MechanismURL, d.ExecutionMode, d.IssuerFingerprint)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, `UPDATE devices SET name = $2, description = $3, custom_attributes = $4, certificate_id = $5,
		device_key = $6, vendor_id = $7, device_class = $8, serial_number = $9
		WHERE id = $1 AND (name, description, custom_attributes, certificate_id, device_key, vendor_id, device_class, serial_number)
		IS DISTINCT FROM ($2, $3, $4, $5, $6, $7, $8, $9)`,
		d.ID, d.Name, d.Description, document{attributes(d.CustomAttributes)}, d.CertificateID,
		d.DeviceKey, d.VendorID, d.DeviceClass, d.SerialNumber)
	return err
}

// attributes are kept as an empty object where there are none.
func attributes(given map[string]string) map[string]string {
	if given == nil {
		return map[string]string{}
	}
	return given
}

// DeleteDevice implements cloud.DeviceWriter.
func (q *queries) DeleteDevice(ctx context.Context, id string) error {
	return q.execOne(ctx, `DELETE FROM devices WHERE id = $1`, id)
}
