package store

import (
	"context"
	"database/sql"
	"sync"
)

// source is what statements run on: a pool of connections, or one of them.
type source interface {
	PrepareContext(ctx context.Context, statement string) (*sql.Stmt, error)
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row
}

// prepared has every connection of a source understand a statement once, and
// run it many times. It remembers the statements that change rows or select
// one row: their texts are constants of this package. Lists are put together
// for each question, so theirs are not kept. Closing the source's database
// frees the statements.
//
// Those statements find their rows by an index and are done at once, so a
// context can refuse them but not interrupt them: watching it would cost as
// much as the statement.
type prepared struct {
	on source

	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

func newPrepared(on source) *prepared {
	return &prepared{on: on, statements: map[string]*sql.Stmt{}}
}

func (p *prepared) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.statements[text]; known != nil {
		return known, nil
	}
	statement, err := p.on.PrepareContext(ctx, text) //nolint:sqlclosecheck // kept
	if err == nil {
		p.statements[text] = statement
	}
	return statement, err
}

// ExecContext implements executor.
func (p *prepared) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	statement, err := p.statement(ctx, text) //nolint:sqlclosecheck // kept
	if err != nil {
		return nil, err
	}
	return statement.ExecContext(untilBegun(ctx), args...)
}

// QueryRowContext implements executor.
func (p *prepared) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	statement, err := p.statement(ctx, text) //nolint:sqlclosecheck // kept
	if err != nil {
		return p.on.QueryRowContext(ctx, text, args...) // fails likewise: only so can a Row tell
	}
	return statement.QueryRowContext(untilBegun(ctx), args...)
}

// QueryContext implements executor.
func (p *prepared) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return p.on.QueryContext(ctx, text, args...)
}

// untilBegun is a context that has ended already or never ends: a statement
// under the first is refused before it begins.
func untilBegun(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}
