package store

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/cloud"
)

// TestReadersThatNobodyNeedsAreClosed holds the memory of a service that only
// waits: the pages that requests have had read were a third of it.
func TestReadersThatNobodyNeedsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "test.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		ask := func() {
			if _, err := opened.Account(t.Context(), "nobody"); !errors.Is(err, cloud.ErrNotFound) {
				t.Errorf("asked for an account that there is not: %v", err)
			}
		}
		ask()
		time.Sleep(readerIdle / 2)
		if open := opened.readers.Stats().OpenConnections; open == 0 {
			t.Error("a reader that was just needed is closed")
		}
		time.Sleep(2 * readerIdle)
		if open := opened.readers.Stats().OpenConnections; open != 0 {
			t.Errorf("%d readers are open that nobody has needed for %v", open, 2*readerIdle)
		}
		ask()
	})
}
