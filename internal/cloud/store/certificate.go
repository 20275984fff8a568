package store

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

const certificateColumns = `id, account_id, owner_id, name, description, service, execution_mode, enrollment_mode, active,
	certificate, fingerprint, subject, issuer, not_before, not_after, endpoint_name, sealed_key, version, created_at, updated_at,
	developer_certificate_id, authority_subject`

var certificates = listing[*cloud.TrustedCertificate]{
	table:   "trusted_certificates",
	columns: certificateColumns,
	fields: map[string]string{
		"id":                    "id",
		"name":                  "name",
		"service":               "service",
		"owner":                 "owner_id",
		"status":                "CASE WHEN active THEN 'ACTIVE' ELSE 'INACTIVE' END",
		"enrollment_mode":       "enrollment_mode",
		"device_execution_mode": "execution_mode",
		"issuer":                "issuer",
		"subject":               "subject",
		"validity":              "not_after",
		"endpoint_name":         "endpoint_name",

		"developer_certificate_id": "developer_certificate_id",
	},
	scan: scanCertificate,
}

func scanCertificate(row scanner) (*cloud.TrustedCertificate, error) {
	var c cloud.TrustedCertificate
	return &c, row.Scan(&c.ID, &c.AccountID, &c.OwnerID, &c.Name, &c.Description, &c.Service, &c.ExecutionMode,
		&c.EnrollmentMode, &c.Active, &c.Certificate, &c.Fingerprint, &c.Subject, &c.Issuer,
		instant{&c.NotBefore}, instant{&c.NotAfter}, &c.EndpointName, &c.SealedKey,
		&c.Version, instant{&c.CreatedAt}, instant{&c.UpdatedAt}, &c.DeveloperCertificateID, &c.AuthoritySubject)
}

// Certificate implements cloud.CertificateReader.
func (q *queries) Certificate(ctx context.Context, id string) (*cloud.TrustedCertificate, error) {
	return one(ctx, q, scanCertificate, `SELECT `+certificateColumns+` FROM trusted_certificates WHERE id = $1`, id)
}

// CertificateState implements cloud.CertificateReader.
func (q *queries) CertificateState(ctx context.Context, id string) (cloud.CertificateState, error) {
	scan := func(row scanner) (cloud.CertificateState, error) {
		var state cloud.CertificateState
		return state, row.Scan(&state.Service, &state.Active)
	}
	return one(ctx, q, scan, `SELECT service, active FROM trusted_certificates WHERE id = $1`, id)
}

// CertificateVersion implements cloud.CertificateReader.
func (q *queries) CertificateVersion(ctx context.Context, fingerprint string) (cloud.CertificateVersion, error) {
	scan := func(row scanner) (cloud.CertificateVersion, error) {
		var version cloud.CertificateVersion
		return version, row.Scan(&version.ID, &version.Version)
	}
	return one(ctx, q, scan, `SELECT id, version FROM trusted_certificates WHERE fingerprint = $1`, fingerprint)
}

// CertificateByFingerprint implements cloud.CertificateReader.
func (q *queries) CertificateByFingerprint(ctx context.Context, fingerprint string) (*cloud.TrustedCertificate, error) {
	return one(ctx, q, scanCertificate,
		`SELECT `+certificateColumns+` FROM trusted_certificates WHERE fingerprint = $1`, fingerprint)
}

// Certificates implements cloud.CertificateReader.
func (q *queries) Certificates(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.TrustedCertificate], error) {
	return list(ctx, q, certificates, accountID, query)
}

// CountCertificates implements cloud.CertificateReader.
func (q *queries) CountCertificates(ctx context.Context, accountID string) (int, error) {
	return q.count(ctx, `SELECT COUNT(*) FROM trusted_certificates
		WHERE account_id = $1 AND developer_certificate_id = ''`, accountID)
}

// CountCertificatesEnding implements cloud.CertificateReader.
func (q *queries) CountCertificatesEnding(ctx context.Context, from, to time.Time) (int, error) {
	return q.count(ctx, `SELECT COUNT(*) FROM trusted_certificates
		WHERE active AND not_after > $1 AND not_after <= $2`, at(from), at(to))
}

// InsertCertificate implements cloud.CertificateWriter.
func (q *queries) InsertCertificate(ctx context.Context, c *cloud.TrustedCertificate) error {
	_, err := q.exec(ctx, `INSERT INTO trusted_certificates (`+certificateColumns+`) VALUES
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
		c.ID, c.AccountID, c.OwnerID, c.Name, c.Description, c.Service, c.ExecutionMode,
		c.EnrollmentMode, c.Active, c.Certificate, c.Fingerprint, c.Subject, c.Issuer,
		at(c.NotBefore), at(c.NotAfter), c.EndpointName, c.SealedKey,
		c.Version, at(c.CreatedAt), at(c.UpdatedAt), c.DeveloperCertificateID, c.AuthoritySubject)
	return err
}

// DeleteCertificate implements cloud.CertificateWriter.
func (q *queries) DeleteCertificate(ctx context.Context, id string) error {
	return q.execOne(ctx, `DELETE FROM trusted_certificates WHERE id = $1`, id)
}
