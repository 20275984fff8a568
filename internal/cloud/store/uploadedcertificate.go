package store

import (
	"context"

	"mbl/internal/cloud"
)

// Authorities implements cloud.UploadedCertificateReader.
func (q *queries) Authorities(ctx context.Context, subject string) ([]*cloud.TrustedCertificate, error) {
	return many(ctx, q, scanCertificate, `SELECT `+certificateColumns+` FROM trusted_certificates
		WHERE authority_subject = $1 AND authority_subject <> '' ORDER BY id`, subject)
}

// UpdateCertificate implements cloud.UploadedCertificateWriter.
func (q *queries) UpdateCertificate(ctx context.Context, c *cloud.TrustedCertificate) error {
	return q.execOne(ctx, `UPDATE trusted_certificates SET name = $2, description = $3, service = $4,
		enrollment_mode = $5, active = $6, certificate = $7, fingerprint = $8, subject = $9, issuer = $10,
		not_before = $11, not_after = $12, endpoint_name = $13, version = $14, updated_at = $15, authority_subject = $16
		WHERE id = $1`,
		c.ID, c.Name, c.Description, c.Service, c.EnrollmentMode, c.Active, c.Certificate, c.Fingerprint, c.Subject, c.Issuer,
		at(c.NotBefore), at(c.NotAfter), c.EndpointName, c.Version, at(c.UpdatedAt), c.AuthoritySubject)
}
