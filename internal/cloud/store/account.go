package store

import (
	"context"

	"mbl/internal/cloud"
)

const accountColumns = `id, administrator_id, administrators_group, developers_group, display_name, version, created_at, updated_at, profile`

func scanAccount(row scanner) (*cloud.Account, error) {
	var a cloud.Account
	return &a, row.Scan(&a.ID, &a.AdministratorID, &a.AdministratorsGroup, &a.DevelopersGroup, &a.DisplayName,
		&a.Version, instant{&a.CreatedAt}, instant{&a.UpdatedAt}, document{&a.Profile})
}

// Account implements cloud.AccountReader.
func (q *queries) Account(ctx context.Context, id string) (*cloud.Account, error) {
	return one(ctx, q, scanAccount, `SELECT `+accountColumns+` FROM accounts WHERE id = $1`, id)
}

// FirstAccount implements cloud.AccountReader.
func (q *queries) FirstAccount(ctx context.Context) (*cloud.Account, error) {
	return one(ctx, q, scanAccount, `SELECT `+accountColumns+` FROM accounts ORDER BY id LIMIT 1`)
}

// InsertAccount implements cloud.AccountWriter.
func (q *queries) InsertAccount(ctx context.Context, a *cloud.Account) error {
	_, err := q.exec(ctx, `INSERT INTO accounts (`+accountColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		a.ID, a.AdministratorID, a.AdministratorsGroup, a.DevelopersGroup, a.DisplayName,
		a.Version, at(a.CreatedAt), at(a.UpdatedAt), document{a.Profile})
	return err
}

// UpdateAccount implements cloud.AccountWriter.
func (q *queries) UpdateAccount(ctx context.Context, a *cloud.Account) error {
	return q.execOne(ctx, `UPDATE accounts SET display_name = $2, profile = $3, version = $4, updated_at = $5 WHERE id = $1`,
		a.ID, a.DisplayName, document{a.Profile}, a.Version, at(a.UpdatedAt))
}
