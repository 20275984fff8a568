package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// The engine gives up a whole transaction when the disk is full: what others
// did in it is gone as well, and they must hear of it.
func TestATransactionGivenUpFailsAllWhoShareIt(t *testing.T) {
	s, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	insert := func(id string) func(cloud.Writer) error {
		return func(w cloud.Writer) error {
			return w.InsertAccount(t.Context(), &cloud.Account{ID: id, CreatedAt: time.Now(), UpdatedAt: time.Now()})
		}
	}
	giveUp := func(w cloud.Writer) error {
		return errors.Join(insert("second")(w), s.writer.exec("ROLLBACK"))
	}
	first := joinAndRun(t, s.writer, insert("first"), false)
	second := joinAndRun(t, s.writer, giveUp, true)
	if first != second {
		t.Fatal("the changes do not share a transaction")
	}
	third := joinAndRun(t, s.writer, insert("third"), false) // another transaction
	if s.writer.settle(first) == nil {
		t.Error("a change that is gone was said to be kept")
	}
	if err := s.writer.settle(third); err != nil {
		t.Error(err)
	}
	for id, kept := range map[string]bool{"first": false, "second": false, "third": true} {
		if _, err := s.Account(t.Context(), id); kept != (err == nil) || !kept && !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func joinAndRun(t *testing.T, w *writer, change func(cloud.Writer) error, fails bool) *batch {
	t.Helper()
	shared, err := w.join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.run(change); fails != (err != nil) {
		t.Fatalf("the change ended with %v", err)
	}
	return shared
}
