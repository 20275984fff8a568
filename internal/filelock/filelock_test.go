package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mbl/internal/filelock"
)

func TestLocks(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	holder, other := open(), open()
	if err := filelock.TryLock(holder); err != nil {
		t.Fatal(err)
	}
	if err := filelock.TryLock(other); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("a second lock: %v", err)
	}
	if err := filelock.TryShare(other); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("a share of a lock: %v", err)
	}
	waited := make(chan error)
	go func() { waited <- filelock.Lock(other) }()
	holder.Close()
	if err := <-waited; err != nil {
		t.Errorf("once it was closed: %v", err)
	}
}

func TestShares(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	for range 2 {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := filelock.TryShare(f); err != nil {
			t.Error(err)
		}
	}
}
