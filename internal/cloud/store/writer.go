package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"mbl/internal/cloud"
)

// writer runs changes on the one connection that writes. Waiting for the disk
// is most of what a change costs, so changes that come at the same time share
// a transaction and wait once: each runs in a savepoint of its own, one after
// the other, and none is answered before the COMMIT of all has returned.
//
// Who has run its change lines up again to commit. Those who came meanwhile
// are in front and join the transaction; the first of it whose turn comes
// again commits for all. So a change on its own is committed at once, and the
// more wait, the more share.
type writer struct {
	conn    *sql.Conn
	queries *queries      // on conn
	turn    chan struct{} // holds one element while somebody uses conn; served in order of arrival
	open    *batch        // the transaction under way; belongs to whoever has the turn
}

// batch is one transaction and those who wait for it.
type batch struct {
	ended chan struct{} // closed when it is over and err stands
	err   error         // why nothing of it was kept; nil: it is on the disk
}

func newWriter(ctx context.Context, db *sql.DB, isConflict func(error) bool) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	on := &queries{db: unbroken{newPrepared(conn)}, isConflict: isConflict}
	return &writer{conn: conn, queries: on, turn: make(chan struct{}, 1)}, nil
}

// update is Store.Update. When ctx ends while the change waits for its turn or
// runs, the change fails; once it has run the commit decides.
func (w *writer) update(ctx context.Context, change func(cloud.Writer) error) (err error) {
	shared, err := w.join(ctx)
	if err != nil {
		return fmt.Errorf("cannot begin a transaction: %w", err)
	}
	// A refusal waits as well: it may rest on what another change of the
	// transaction did. So does a panic: those who share the transaction may
	// have nobody else to commit it.
	defer func() {
		if failure := w.settle(shared); failure != nil {
			err = failure
		}
	}()
	return w.run(change)
}

// join takes the turn and returns the transaction under way, a new one if
// there is none. The caller gives the turn back.
func (w *writer) join(ctx context.Context) (*batch, error) {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		w.endTurn()
		return nil, err
	}
	if w.open != nil {
		return w.open, nil
	}
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		w.rollback() // ctx may have ended when it had just begun
		w.endTurn()
		return nil, err
	}
	w.open = &batch{ended: make(chan struct{})}
	return w.open, nil
}

func (w *writer) endTurn() { <-w.turn }

// run runs one change within the transaction, all or nothing, and gives the
// turn back.
func (w *writer) run(change func(cloud.Writer) error) error {
	defer w.endTurn()
	done := false // a panic leaves it so
	defer func() {
		if !done {
			w.undo()
		}
	}()
	if err := w.exec("SAVEPOINT change"); err != nil {
		return err
	}
	if err := change(w.queries); err != nil {
		return err
	}
	if err := w.exec("RELEASE change"); err != nil {
		return err
	}
	done = true
	return nil
}

// undo takes back what the change did. Where that is not possible the engine
// has given up the whole transaction, as it does when the disk is full.
func (w *writer) undo() {
	err := w.exec("ROLLBACK TO change")
	if err == nil {
		err = w.exec("RELEASE change")
	}
	if err != nil {
		w.rollback()
		w.end(fmt.Errorf("the transaction was given up: %w", err))
	}
}

// settle waits until the transaction is committed, or commits it itself when
// the turn comes first.
func (w *writer) settle(shared *batch) error {
	select {
	case <-shared.ended:
		return shared.err
	case w.turn <- struct{}{}:
	}
	defer w.endTurn()
	if w.open == shared {
		w.commit()
	}
	return shared.err
}

func (w *writer) commit() {
	err := w.exec("COMMIT")
	if err != nil {
		w.rollback()
		err = fmt.Errorf("cannot commit: %w", err)
	}
	w.end(err)
}

func (w *writer) end(err error) {
	shared := w.open
	w.open, shared.err = nil, err
	close(shared.ended)
}

// rollback ends whatever transaction there still is.
func (w *writer) rollback() { _ = w.exec("ROLLBACK") }

// exec runs a statement of the transaction itself, which no caller interrupts.
func (w *writer) exec(statement string) error {
	_, err := w.queries.db.ExecContext(context.Background(), statement)
	return err
}

// close waits for its turn and gives the connection back. Once is enough.
func (w *writer) close() error {
	w.turn <- struct{}{}
	defer w.endTurn()
	if err := w.conn.Close(); !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}

// unbroken runs no statement that a context can interrupt: SQLite answers the
// interruption of a write by undoing the whole transaction, with the changes
// of others in it.
type unbroken struct{ *prepared }

// QueryContext implements executor.
func (u unbroken) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return u.prepared.QueryContext(untilBegun(ctx), text, args...)
}
