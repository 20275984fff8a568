package store

import (
	"context"

	"mbl/internal/cloud"
)

const denialColumns = `id, account_id, certificate_id, endpoint_name, denied_at`

var denials = listing[*cloud.Denial]{
	table:   "denials",
	columns: denialColumns,
	fields:  map[string]string{"trusted_certificate_id": "certificate_id", "endpoint_name": "endpoint_name"},
	scan:    scanDenial,
}

func scanDenial(row scanner) (*cloud.Denial, error) {
	var d cloud.Denial
	return &d, row.Scan(&d.ID, &d.AccountID, &d.CertificateID, &d.EndpointName, instant{&d.At})
}

// Denial implements cloud.DenialReader.
func (q *queries) Denial(ctx context.Context, id string) (*cloud.Denial, error) {
	return one(ctx, q, scanDenial, `SELECT `+denialColumns+` FROM denials WHERE id = $1`, id)
}

// DenialOf implements cloud.DenialReader.
func (q *queries) DenialOf(ctx context.Context, certificateID, endpointName string) (*cloud.Denial, error) {
	return one(ctx, q, scanDenial, `SELECT `+denialColumns+` FROM denials WHERE certificate_id = $1 AND endpoint_name = $2`,
		certificateID, endpointName)
}

// Denials implements cloud.DenialReader.
func (q *queries) Denials(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.Denial], error) {
	return list(ctx, q, denials, accountID, query)
}

// SaveDenial implements cloud.DenialWriter.
func (q *queries) SaveDenial(ctx context.Context, d *cloud.Denial) error {
	_, err := q.exec(ctx, `INSERT INTO denials (`+denialColumns+`) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (certificate_id, endpoint_name) DO UPDATE SET id = excluded.id, denied_at = excluded.denied_at`,
		d.ID, d.AccountID, d.CertificateID, d.EndpointName, at(d.At))
	return err
}

// TrimDenials implements cloud.DenialWriter.
func (q *queries) TrimDenials(ctx context.Context, accountID string, keep int) error {
	_, err := q.exec(ctx, `DELETE FROM denials WHERE account_id = $1 AND id < (
		SELECT MIN(id) FROM (SELECT id FROM denials WHERE account_id = $1 ORDER BY id DESC LIMIT $2) AS latest)`,
		accountID, int64(keep))
	return err
}
