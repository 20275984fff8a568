package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// maxReaders is the number of connections that only read. In WAL mode they
// never wait for the writer.
const maxReaders = 4

// OpenSQLite opens the database file at path, making it and bringing its
// tables up to date as needed. There is one writing connection, so changes of
// this process never meet a lock; writers of other processes are waited for by
// SQLite.
func OpenSQLite(ctx context.Context, path string) (*Store, error) {
	write, err := openSQLite(ctx, path, "_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("cannot open the database %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	if err := migrateSQLite(ctx, write); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot bring the database %s up to date: %w", path, err), write.Close())
	}
	read, err := openSQLite(ctx, path, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the database %s: %w", path, err), write.Close())
	}
	read.SetMaxOpenConns(maxReaders)
	read.SetMaxIdleConns(maxReaders)
	writer, err := newWriter(ctx, write, isSQLiteConflict)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the database %s: %w", path, err), read.Close(), write.Close())
	}
	return &Store{
		queries: queries{db: newPrepared(read), isConflict: isSQLiteConflict},
		readers: read,
		writers: write,
		writer:  writer,
	}, nil
}

func openSQLite(ctx context.Context, path, option string) (*sql.DB, error) {
	source := url.URL{Scheme: "file", Opaque: url.PathEscape(path)}
	// synchronous(FULL): what was answered is on the disk.
	source.RawQuery = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&" + option
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func migrateSQLite(ctx context.Context, db *sql.DB) error {
	migrations, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, migrations)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func isSQLiteConflict(err error) bool {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return false
	}
	code := failure.Code()
	return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}
