package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/store"
	"mbl/internal/cloud/store/storetest"
)

func openAt(t *testing.T, path string) *store.Store {
	t.Helper()
	opened, err := store.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return opened
}

func TestSQLiteStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) cloud.Store { return openAt(t, filepath.Join(t.TempDir(), "test.db")) })
}

func TestTwoOpenStoresWriteToOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?#%.db")
	first, second := openAt(t, path), openAt(t, path)
	insert := func(s *store.Store, id string) error {
		return s.Update(t.Context(), func(w cloud.Writer) error {
			return w.InsertAccount(t.Context(), &cloud.Account{ID: id, CreatedAt: time.Now(), UpdatedAt: time.Now()})
		})
	}
	results := make(chan error)
	for i := range 20 {
		writer := []*store.Store{first, second}[i%2]
		go func() { results <- insert(writer, string(rune('a'+i))) }()
	}
	for range 20 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	for i := range 20 {
		if _, err := second.Account(t.Context(), string(rune('a'+i))); err != nil {
			t.Error(err)
		}
	}
}

func TestReadersCannotWrite(t *testing.T) {
	opened := openAt(t, filepath.Join(t.TempDir(), "test.db"))
	writer, ok := any(opened).(cloud.AccountWriter)
	if !ok {
		return // not even the methods are there
	}
	if err := writer.InsertAccount(t.Context(), &cloud.Account{ID: "a", CreatedAt: time.Now(), UpdatedAt: time.Now()}); err == nil {
		t.Error("a write outside of a transaction was accepted")
	}
}

func TestAFileThatIsNoDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, []byte("this is not a database, whatever its name says"), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := store.OpenSQLite(t.Context(), path)
	if err == nil {
		t.Fatal(errors.Join(errors.New("it was opened"), opened.Close()))
	}
}
