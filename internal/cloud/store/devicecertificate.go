package store

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

const deviceCertificateColumns = `fingerprint, account_id, device_id, certificate_id, status, not_after, issued_at, changed_at`

func scanDeviceCertificate(row scanner) (*cloud.DeviceCertificate, error) {
	var c cloud.DeviceCertificate
	return &c, row.Scan(&c.Fingerprint, &c.AccountID, &c.DeviceID, &c.CertificateID, &c.Status,
		instant{&c.NotAfter}, instant{&c.IssuedAt}, instant{&c.ChangedAt})
}

// DeviceCertificate implements cloud.DeviceCertificateReader.
func (q *queries) DeviceCertificate(ctx context.Context, fingerprint string) (*cloud.DeviceCertificate, error) {
	return one(ctx, q, scanDeviceCertificate,
		`SELECT `+deviceCertificateColumns+` FROM device_certificates WHERE fingerprint = $1`, fingerprint)
}

func scanStanding(row scanner) (*cloud.Standing, error) {
	var s cloud.Standing
	return &s, row.Scan(&s.Device.AccountID, &s.Device.DeviceID, &s.Device.EndpointName,
		&s.Status, instant{&s.NotAfter}, &s.TrustedCertificate, &s.Suspended)
}

// Standing implements cloud.DeviceCertificateReader.
func (q *queries) Standing(ctx context.Context, fingerprint string) (*cloud.Standing, error) {
	return one(ctx, q, scanStanding, `SELECT devices.account_id, devices.id, devices.endpoint_name,
		device_certificates.status, device_certificates.not_after,
		CASE WHEN devices.certificate_id = '' THEN TRUE
		WHEN trusted_certificates.id IS NULL THEN FALSE
		ELSE trusted_certificates.service <> 'lwm2m' OR trusted_certificates.active END,
		devices.suspended
		FROM device_certificates
		JOIN devices ON devices.id = device_certificates.device_id
		LEFT JOIN trusted_certificates ON trusted_certificates.id = devices.certificate_id
		WHERE device_certificates.fingerprint = $1`, fingerprint)
}

// CountDeviceCertificatesEnding implements cloud.DeviceCertificateReader.
func (q *queries) CountDeviceCertificatesEnding(ctx context.Context, from, to time.Time) (int, error) {
	return q.count(ctx, `SELECT COUNT(*) FROM device_certificates
		WHERE status = 'active' AND not_after > $1 AND not_after <= $2`, at(from), at(to))
}

// InsertDeviceCertificate implements cloud.DeviceCertificateWriter.
func (q *queries) InsertDeviceCertificate(ctx context.Context, c *cloud.DeviceCertificate) error {
	_, err := q.exec(ctx, `INSERT INTO device_certificates (`+deviceCertificateColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		c.Fingerprint, c.AccountID, c.DeviceID, c.CertificateID, string(c.Status),
		at(c.NotAfter), at(c.IssuedAt), at(c.ChangedAt))
	return err
}

// RevokeDeviceCertificates implements cloud.DeviceCertificateWriter.
func (q *queries) RevokeDeviceCertificates(ctx context.Context, deviceID string, when time.Time) error {
	_, err := q.exec(ctx, `UPDATE device_certificates SET status = 'revoked', changed_at = $2
		WHERE device_id = $1 AND status <> 'revoked'`, deviceID, at(when))
	return err
}

// RevokeCertificatesUnder implements cloud.DeviceCertificateWriter.
func (q *queries) RevokeCertificatesUnder(ctx context.Context, certificateID string, when time.Time) error {
	_, err := q.exec(ctx, `UPDATE device_certificates SET status = 'revoked', changed_at = $2
		WHERE certificate_id = $1 AND status <> 'revoked'`, certificateID, at(when))
	return err
}

// CountActiveCertificates implements cloud.DeviceCertificateReader.
func (q *queries) CountActiveCertificates(ctx context.Context, issuedBefore time.Time) (int, error) {
	return q.count(ctx, `SELECT COUNT(*) FROM device_certificates WHERE status = 'active' AND issued_at < $1`, at(issuedBefore))
}

// DeleteDeviceCertificate implements cloud.DeviceCertificateWriter.
func (q *queries) DeleteDeviceCertificate(ctx context.Context, fingerprint string) error {
	_, err := q.exec(ctx, `DELETE FROM device_certificates WHERE fingerprint = $1`, fingerprint)
	return err
}
