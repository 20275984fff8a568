// Package store is the service's memory in SQL. One set of statements serves
// every engine; what differs between engines is a small file each (opening,
// telling errors apart) and a folder of migrations.
//
// It decides nothing: the brain, package cloud, declares what is kept and
// calls it.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"mbl/internal/cloud"
)

var (
	_ cloud.Store  = (*Store)(nil)
	_ cloud.Writer = (*queries)(nil)
)

// Store is the memory. It is safe for concurrent use, also by several
// processes on one database. Close it.
type Store struct {
	queries // on readers
	readers *sql.DB
	writers *sql.DB // has one connection, which writer keeps
	writer  *writer
}

// queries are the statements, on the readers or within a transaction.
type queries struct {
	db         executor
	isConflict func(error) bool // the engine says that a value must be unique
}

type executor interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row
}

// Update implements cloud.Store. Changes that come at the same time share a
// transaction.
func (s *Store) Update(ctx context.Context, change func(cloud.Writer) error) error {
	return s.writer.update(ctx, change)
}

// Close closes the database. No change may be under way. It may be called more
// than once.
func (s *Store) Close() error {
	return errors.Join(s.readers.Close(), s.writer.close(), s.writers.Close())
}

// exec runs a statement that may change any number of rows, and counts them.
func (q *queries) exec(ctx context.Context, statement string, args ...any) (int, error) {
	result, err := q.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, q.translate(err)
	}
	count, err := result.RowsAffected()
	return int(count), err
}

// execOne runs a statement that must change a row.
func (q *queries) execOne(ctx context.Context, statement string, args ...any) error {
	count, err := q.exec(ctx, statement, args...)
	if err == nil && count == 0 {
		return cloud.ErrNotFound
	}
	return err
}

// scanInt reads a row of one number.
func scanInt(row scanner) (int, error) {
	var n int
	err := row.Scan(&n)
	return n, err
}

// count runs a statement that selects one number.
func (q *queries) count(ctx context.Context, statement string, args ...any) (int, error) {
	return one(ctx, q, scanInt, statement, args...)
}

// scanner is a row to be read.
type scanner interface{ Scan(columns ...any) error }

// one reads the row a statement selects.
func one[T any](ctx context.Context, q *queries, scan func(scanner) (T, error), statement string, args ...any) (T, error) {
	item, err := scan(q.db.QueryRowContext(ctx, statement, args...))
	if err != nil {
		var none T
		return none, q.translate(err)
	}
	return item, nil
}

// many reads all the rows a statement selects.
func many[T any](ctx context.Context, q *queries, scan func(scanner) (T, error), statement string, args ...any) ([]T, error) {
	rows, err := q.db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, q.translate(err)
	}
	defer rows.Close()
	var items []T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, q.translate(err)
		}
		items = append(items, item)
	}
	return items, q.translate(rows.Err())
}

func (q *queries) translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return cloud.ErrNotFound
	case q.isConflict(err):
		return cloud.ErrConflict
	default:
		return fmt.Errorf("database: %w", err)
	}
}
