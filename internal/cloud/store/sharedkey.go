package store

import (
	"context"

	"mbl/internal/cloud"
)

const sharedKeyColumns = `id, account_id, endpoint_name, sealed_secret, created_at`

var sharedKeys = listing[*cloud.SharedKey]{
	table:   "shared_keys",
	columns: sharedKeyColumns,
	scan:    scanSharedKey,
}

func scanSharedKey(row scanner) (*cloud.SharedKey, error) {
	var k cloud.SharedKey
	return &k, row.Scan(&k.ID, &k.AccountID, &k.EndpointName, &k.SealedSecret, instant{&k.CreatedAt})
}

// SharedKey implements cloud.SharedKeyReader.
func (q *queries) SharedKey(ctx context.Context, endpointName string) (*cloud.SharedKey, error) {
	return one(ctx, q, scanSharedKey, `SELECT `+sharedKeyColumns+` FROM shared_keys WHERE endpoint_name = $1`, endpointName)
}

// SharedKeys implements cloud.SharedKeyReader.
func (q *queries) SharedKeys(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.SharedKey], error) {
	return list(ctx, q, sharedKeys, accountID, query)
}

// InsertSharedKey implements cloud.SharedKeyWriter.
func (q *queries) InsertSharedKey(ctx context.Context, k *cloud.SharedKey) error {
	_, err := q.exec(ctx, `INSERT INTO shared_keys (`+sharedKeyColumns+`) VALUES ($1, $2, $3, $4, $5)`,
		k.ID, k.AccountID, k.EndpointName, k.SealedSecret, at(k.CreatedAt))
	return err
}

// DeleteSharedKey implements cloud.SharedKeyWriter.
func (q *queries) DeleteSharedKey(ctx context.Context, id string) error {
	return q.execOne(ctx, `DELETE FROM shared_keys WHERE id = $1`, id)
}
