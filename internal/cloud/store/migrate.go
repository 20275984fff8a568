package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// ErrNewer says that a later version of the program has changed the tables:
// this one would not understand them.
var ErrNewer = errors.New("the database was made by a newer version of the program")

// migrateSQLite brings the tables up to date, each step in a transaction of
// its own.
func migrateSQLite(ctx context.Context, db *sql.DB) error {
	steps, err := sqliteSteps(db)
	if err != nil {
		return err
	}
	if err := checkVersion(ctx, steps); err != nil {
		return err
	}
	_, err = steps.Up(ctx)
	return err
}

func sqliteSteps(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files)
}

func checkVersion(ctx context.Context, steps *goose.Provider) error {
	present, err := steps.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	known := steps.ListSources()
	if newest := known[len(known)-1].Version; present > newest {
		return fmt.Errorf("%w: its tables are of version %d, and the newest known is %d", ErrNewer, present, newest)
	}
	return nil
}
