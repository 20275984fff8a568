package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxReaders is the number of connections that only read. In WAL mode they
// never wait for the writer.
const maxReaders = 4

// readerIdle is how long a reading connection that nobody needs is kept. Each
// holds up to 2 MiB of the file's pages, the kernel holds them too, and opening
// another takes a millisecond. It is shorter than what lies between the
// keep-alives of devices, which may come all at once.
const readerIdle = 5 * time.Second

// walPages is how long the log may become before it is copied into the
// database file: 16 MiB in place of SQLite's 4. The last pages of the indexes
// change with every device that connects, and are copied once for all of them.
const walPages = "_pragma=wal_autocheckpoint(4000)"

// OpenSQLite opens the database file at path, making it and bringing its
// tables up to date as needed. There is one writing connection, so changes of
// this process never meet a lock; writers of other processes are waited for by
// SQLite. It returns ErrNewer for a database that a later version of the
// program has changed, and leaves it as it is.
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
	read.SetConnMaxIdleTime(readerIdle)
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

// registerLower replaces SQLite's LOWER, which knows the letters of ASCII alone.
// Connections that are opened later have it.
//
//nolint:gochecknoglobals // the driver keeps functions for the whole program, and takes each once
var registerLower = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("lower", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if text, is := args[0].(string); is {
			return strings.ToLower(text), nil
		}
		return args[0], nil
	})
})

func openSQLite(ctx context.Context, path, option string) (*sql.DB, error) {
	if err := registerLower(); err != nil {
		return nil, err
	}
	source := url.URL{Scheme: "file", Opaque: url.PathEscape(path)}
	// synchronous(FULL): what was answered is on the disk. temp_store(MEMORY): a
	// savepoint's undo pages go there, and would be written to a file else.
	source.RawQuery = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)&" + walPages + "&" + option
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func isSQLiteConflict(err error) bool {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return false
	}
	code := failure.Code()
	return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}
