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
		&s.Status, instant{&s.NotAfter}, &s.TrustedCertificate)
}

// Standing implements cloud.DeviceCertificateReader.
func (q *queries) Standing(ctx context.Context, fingerprint string) (*cloud.Standing, error) {
	return one(ctx, q, scanStanding, `SELECT devices.account_id, devices.id, devices.endpoint_name,
		device_certificates.status, device_certificates.not_after,
		trusted_certificates.active AND COALESCE(developer.active, TRUE)
		FROM device_certificates
		JOIN devices ON devices.id = device_certificates.device_id
		JOIN trusted_certificates ON trusted_certificates.id = devices.certificate_id
		LEFT JOIN trusted_certificates AS developer ON developer.id = trusted_certificates.developer_certificate_id
		WHERE device_certificates.fingerprint = $1`, fingerprint)
}

// InsertDeviceCertificate implements cloud.DeviceCertificateWriter.
func (q *queries) InsertDeviceCertificate(ctx context.Context, c *cloud.DeviceCertificate) error {
	_, err := q.exec(ctx, `INSERT INTO device_certificates (`+deviceCertificateColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		c.Fingerprint, c.AccountID, c.DeviceID, c.CertificateID, string(c.Status),
		at(c.NotAfter), at(c.IssuedAt), at(c.ChangedAt))
	return err
}

// SetDeviceCertificateStatus implements cloud.DeviceCertificateWriter.
func (q *queries) SetDeviceCertificateStatus(ctx context.Context, fingerprint string, status cloud.CertificateStatus, when time.Time) error {
	return q.execOne(ctx, `UPDATE device_certificates SET status = $2, changed_at = $3 WHERE fingerprint = $1`,
		fingerprint, string(status), at(when))
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

// DeleteUnfinishedCertificates implements cloud.DeviceCertificateWriter.
func (q *queries) DeleteUnfinishedCertificates(ctx context.Context, issuedBefore time.Time) (int, error) {
	return q.exec(ctx, `DELETE FROM device_certificates WHERE status = 'issued' AND issued_at < $1`, at(issuedBefore))
}
