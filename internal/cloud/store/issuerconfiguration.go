package store

import (
	"context"

	"mbl/internal/cloud"
)

const issuerConfigurationColumns = `account_id, issuer_id, version, created_at, updated_at`

func scanIssuerConfiguration(row scanner) (*cloud.IssuerConfiguration, error) {
	var c cloud.IssuerConfiguration
	return &c, row.Scan(&c.AccountID, &c.IssuerID, &c.Version, instant{&c.CreatedAt}, instant{&c.UpdatedAt})
}

// IssuerConfiguration implements cloud.IssuerConfigurationReader.
func (q *queries) IssuerConfiguration(ctx context.Context, accountID string) (*cloud.IssuerConfiguration, error) {
	return one(ctx, q, scanIssuerConfiguration,
		`SELECT `+issuerConfigurationColumns+` FROM issuer_configurations WHERE account_id = $1`, accountID)
}

// SaveIssuerConfiguration implements cloud.IssuerConfigurationWriter.
func (q *queries) SaveIssuerConfiguration(ctx context.Context, c *cloud.IssuerConfiguration) error {
	_, err := q.exec(ctx, `INSERT INTO issuer_configurations (`+issuerConfigurationColumns+`) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id) DO UPDATE SET issuer_id = excluded.issuer_id, version = excluded.version,
		updated_at = excluded.updated_at`,
		c.AccountID, c.IssuerID, c.Version, at(c.CreatedAt), at(c.UpdatedAt))
	return err
}
