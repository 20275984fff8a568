package store

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

const apiKeyColumns = `id, account_id, name, owner_id, group_ids, active, digest, version, created_at, updated_at, last_used_at`

var apiKeys = listing[*cloud.APIKey]{
	table:   "api_keys",
	columns: apiKeyColumns,
	fields: map[string]string{
		"id":     "id",
		"owner":  "owner_id",
		"groups": "group_ids", // JSON text: ids are found in it by Like
		"status": "CASE WHEN active THEN 'ACTIVE' ELSE 'INACTIVE' END",
	},
	scan: scanAPIKey,
}

func scanAPIKey(row scanner) (*cloud.APIKey, error) {
	var k cloud.APIKey
	return &k, row.Scan(&k.ID, &k.AccountID, &k.Name, &k.Owner, document{&k.Groups}, &k.Active, &k.Digest,
		&k.Version, instant{&k.CreatedAt}, instant{&k.UpdatedAt}, instant{&k.LastUsedAt})
}

// APIKey implements cloud.APIKeyReader.
func (q *queries) APIKey(ctx context.Context, id string) (*cloud.APIKey, error) {
	return one(ctx, q, scanAPIKey, `SELECT `+apiKeyColumns+` FROM api_keys WHERE id = $1`, id)
}

// APIKeys implements cloud.APIKeyReader.
func (q *queries) APIKeys(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.APIKey], error) {
	return list(ctx, q, apiKeys, accountID, query)
}

// InsertAPIKey implements cloud.APIKeyWriter.
func (q *queries) InsertAPIKey(ctx context.Context, k *cloud.APIKey) error {
	_, err := q.exec(ctx, `INSERT INTO api_keys (`+apiKeyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		k.ID, k.AccountID, k.Name, k.Owner, document{k.Groups}, k.Active, k.Digest,
		k.Version, at(k.CreatedAt), at(k.UpdatedAt), at(k.LastUsedAt))
	return err
}

// UpdateAPIKey implements cloud.APIKeyWriter.
func (q *queries) UpdateAPIKey(ctx context.Context, k *cloud.APIKey) error {
	return q.execOne(ctx, `UPDATE api_keys SET name = $2, owner_id = $3, group_ids = $4, active = $5, digest = $6,
		version = $7, updated_at = $8 WHERE id = $1`,
		k.ID, k.Name, k.Owner, document{k.Groups}, k.Active, k.Digest, k.Version, at(k.UpdatedAt))
}

// TouchAPIKey implements cloud.APIKeyWriter.
func (q *queries) TouchAPIKey(ctx context.Context, id string, usedAt time.Time) error {
	_, err := q.exec(ctx, `UPDATE api_keys SET last_used_at = $2 WHERE id = $1`, id, at(usedAt))
	return err
}

// DeleteAPIKey implements cloud.APIKeyWriter.
func (q *queries) DeleteAPIKey(ctx context.Context, id string) error {
	return q.execOne(ctx, `DELETE FROM api_keys WHERE id = $1`, id)
}
