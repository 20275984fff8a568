package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// disk is what the two files of a database held at one moment.
type disk struct{ database, log []byte }

func readDisk(t *testing.T, path string) disk {
	t.Helper()
	database, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(path + "-wal")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return disk{database, log}
}

// accountsOn opens a copy of what a power loss has left and counts the
// accounts, which must be those made first.
func accountsOn(t *testing.T, left disk) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "left.db")
	if err := errors.Join(os.WriteFile(path, left.database, 0o600), os.WriteFile(path+"-wal", left.log, 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatalf("%d bytes of the log: %v", len(left.log), err)
	}
	defer s.Close()
	count := 0
	for ; ; count++ {
		_, err := s.Account(t.Context(), numbered(count))
		if errors.Is(err, cloud.ErrNotFound) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := s.count(t.Context(), `SELECT count(*) FROM accounts`); err != nil || kept != count {
		t.Fatalf("%d bytes of the log: %d accounts are there, and the first %d are whole; %v", len(left.log), kept, count, err)
	}
	return count
}

func numbered(n int) string { return fmt.Sprintf("%032d", n) }

func makeAccounts(t *testing.T, s *Store, from, to int, made func(n int)) {
	t.Helper()
	for n := from; n < to; n++ {
		account := &cloud.Account{ID: numbered(n), DisplayName: string(bytes.Repeat([]byte("n"), 200)), CreatedAt: time.Now(), UpdatedAt: time.Now()}
		if err := s.Update(t.Context(), func(w cloud.Writer) error { return w.InsertAccount(t.Context(), account) }); err != nil {
			t.Fatal(err)
		}
		made(n)
	}
}

// The log is only ever written at its end, so what a power loss leaves of it
// is its beginning, up to a page that is half written.
func TestAPowerLossAtAnyByteLosesNothingAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	execute(t, s.readers, "PRAGMA query_only(0)")
	execute(t, s.readers, "PRAGMA wal_checkpoint(TRUNCATE)") // the tables are in the database itself
	const most = 12
	var answered [most]int // bytes of the log when the change was answered
	makeAccounts(t, s, 0, most, func(n int) { answered[n] = len(readDisk(t, path).log) })
	whole := readDisk(t, path)
	if answered[0] == 0 || len(whole.log) != answered[most-1] {
		t.Fatalf("changes were answered at %v bytes of %d", answered, len(whole.log))
	}
	const step = 509 // no divisor of a page: most cuts go through one
	before := 0
	for cut := 0; cut <= len(whole.log); cut = next(cut, step, answered[:]) {
		wanted := 0
		for wanted < most && answered[wanted] <= cut {
			wanted++
		}
		kept := accountsOn(t, disk{whole.database, whole.log[:cut]})
		if kept < wanted || kept < before {
			t.Errorf("after %d bytes %d changes were answered, and %d are kept", cut, wanted, kept)
		}
		before = kept
	}
	if before != most {
		t.Errorf("of the whole log %d changes are kept", before)
	}
}

// next is the next place to cut at: a step on, or where a change was answered.
func next(cut, step int, answered []int) int {
	to := cut + step
	for _, at := range answered {
		if at > cut && at < to {
			to = at
		}
	}
	return to
}

// When the log is copied into the database, its pages may reach the disk in
// part and in any order.
func TestAPowerLossWhileTheLogIsCopiedLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const most = 60
	makeAccounts(t, s, 0, most, func(int) {})
	before := readDisk(t, path)
	execute(t, s.readers, "PRAGMA query_only(0)")
	execute(t, s.readers, "PRAGMA wal_checkpoint(FULL)")
	after := readDisk(t, path)
	if bytes.Equal(before.database, after.database) || !bytes.Equal(before.log, after.log) {
		t.Fatal("the log was not copied into the database")
	}
	const page = 4096
	grown := append(bytes.Clone(before.database), make([]byte, max(len(after.database)-len(before.database), 0))...)
	for at := 0; at < len(after.database); at += page {
		grown = grown[:max(len(grown), at+page)]
		copy(grown[at:], after.database[at:at+page]) // the first pages are new
		half := bytes.Clone(before.database)
		if at+page <= len(half) {
			copy(half[at:], after.database[at:at+page/2]) // half a page is new
		}
		for name, database := range map[string][]byte{"first pages": grown, "half a page": half} {
			if kept := accountsOn(t, disk{database, after.log}); kept != most {
				t.Errorf("%s, at %d: %d of %d are kept", name, at, kept, most)
			}
		}
	}
}
