package store

import (
	"context"

	"mbl/internal/cloud"
)

const authorityColumns = `name, id, certificate, sealed_key, created_at`

func scanAuthority(row scanner) (*cloud.AuthorityRecord, error) {
	var a cloud.AuthorityRecord
	return &a, row.Scan(&a.Name, &a.ID, &a.Certificate, &a.SealedKey, instant{&a.CreatedAt})
}

// Authority implements cloud.AuthorityReader.
func (q *queries) Authority(ctx context.Context, name cloud.AuthorityName) (*cloud.AuthorityRecord, error) {
	return one(ctx, q, scanAuthority, `SELECT `+authorityColumns+` FROM authorities WHERE name = $1`, string(name))
}

// InsertAuthority implements cloud.AuthorityWriter.
func (q *queries) InsertAuthority(ctx context.Context, a *cloud.AuthorityRecord) error {
	_, err := q.exec(ctx, `INSERT INTO authorities (`+authorityColumns+`) VALUES ($1, $2, $3, $4, $5)`,
		string(a.Name), a.ID, a.Certificate, a.SealedKey, at(a.CreatedAt))
	return err
}

// DeleteAuthority implements cloud.AuthorityWriter.
func (q *queries) DeleteAuthority(ctx context.Context, name cloud.AuthorityName) error {
	return q.execOne(ctx, `DELETE FROM authorities WHERE name = $1`, string(name))
}
