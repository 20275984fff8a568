package store

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

const registrationColumns = `device_id, account_id, endpoint_name, endpoint_type, binding, lwm2m_version, client_version,
	remote_addr, lifetime, links, registered_at, expires_at`

func scanRegistration(row scanner) (*cloud.RegistrationRecord, error) {
	var r cloud.RegistrationRecord
	return &r, row.Scan(&r.DeviceID, &r.AccountID, &r.EndpointName, &r.EndpointType, &r.Binding, &r.LwM2MVersion,
		&r.ClientVersion, &r.RemoteAddr, length{&r.Lifetime}, document{&r.Links},
		instant{&r.RegisteredAt}, instant{&r.ExpiresAt})
}

// Registration implements cloud.RegistrationReader.
func (q *queries) Registration(ctx context.Context, deviceID string) (*cloud.RegistrationRecord, error) {
	return one(ctx, q, scanRegistration, `SELECT `+registrationColumns+` FROM registrations WHERE device_id = $1`, deviceID)
}

// ExpiredRegistrations implements cloud.RegistrationReader.
func (q *queries) ExpiredRegistrations(ctx context.Context, when time.Time, limit int) ([]*cloud.RegistrationRecord, error) {
	return many(ctx, q, scanRegistration, `SELECT `+registrationColumns+` FROM registrations
		WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`, at(when), int64(limit))
}

// SaveRegistration implements cloud.RegistrationWriter.
func (q *queries) SaveRegistration(ctx context.Context, r *cloud.RegistrationRecord) error {
	_, err := q.exec(ctx, `INSERT INTO registrations (`+registrationColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (device_id) DO UPDATE SET endpoint_name = excluded.endpoint_name,
		endpoint_type = excluded.endpoint_type, binding = excluded.binding, lwm2m_version = excluded.lwm2m_version,
		client_version = excluded.client_version, remote_addr = excluded.remote_addr, lifetime = excluded.lifetime,
		links = excluded.links, registered_at = excluded.registered_at, expires_at = excluded.expires_at`,
		r.DeviceID, r.AccountID, r.EndpointName, r.EndpointType, r.Binding, r.LwM2MVersion,
		r.ClientVersion, r.RemoteAddr, length{&r.Lifetime}, document{r.Links}, at(r.RegisteredAt), at(r.ExpiresAt))
	return err
}

// RenewRegistration implements cloud.RegistrationWriter.
func (q *queries) RenewRegistration(ctx context.Context, deviceID string, lifetime time.Duration, expiresAt time.Time) error {
	return q.execOne(ctx, `UPDATE registrations SET lifetime = $2, expires_at = $3 WHERE device_id = $1`,
		deviceID, length{&lifetime}, at(expiresAt))
}

// DeleteRegistration implements cloud.RegistrationWriter.
func (q *queries) DeleteRegistration(ctx context.Context, deviceID string) error {
	_, err := q.exec(ctx, `DELETE FROM registrations WHERE device_id = $1`, deviceID)
	return err
}
