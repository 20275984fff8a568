package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// CopySQLite writes a copy of the database file at path to a new file, as it
// is at one moment, also while others write to it. They do not wait.
func CopySQLite(ctx context.Context, path, to string) error {
	db, err := openSQLite(ctx, path, "mode=rw")
	if err != nil {
		return fmt.Errorf("cannot open the database %s: %w", path, err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO $1", to)
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("cannot copy the database %s: %w", path, err)
	}
	return nil
}

// CheckSQLite makes sure that the file at path is a whole database of a
// version that OpenSQLite understands. It returns ErrNewer for a later one.
func CheckSQLite(ctx context.Context, path string) error {
	db, err := openSQLite(ctx, path, "mode=rw")
	if err != nil {
		return fmt.Errorf("cannot open the database %s: %w", path, err)
	}
	defer db.Close()
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("cannot check the database %s: %w", path, err)
	}
	if !strings.EqualFold(found, "ok") {
		return fmt.Errorf("the database %s is damaged: %s", path, found)
	}
	steps, err := sqliteSteps(db)
	if err != nil {
		return err
	}
	return checkVersion(ctx, steps)
}
