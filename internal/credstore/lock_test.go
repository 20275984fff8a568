package credstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestAnAbandonedLockIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockFile)
	if err := createLock(path); err != nil {
		t.Fatal(err)
	}
	if err := takeLock(t.Context(), path, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestANewLockIsNotBrokenInPlaceOfTheAbandonedOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockFile)
	if err := createLock(path); err != nil {
		t.Fatal(err)
	}
	abandoned, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := path + ".kept" // so that the new lock cannot get the same inode
	if err := errors.Join(os.Rename(path, kept), createLock(path)); err != nil {
		t.Fatal(err)
	}
	if err := breakLock(path, abandoned); err != nil {
		t.Fatal(err)
	}
	if err := createLock(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the other process's lock is gone: %v", err)
	}
}

func TestOnlyOneHoldsTheLock(t *testing.T) {
	dir := t.TempDir()
	var inside, most int
	var mu sync.Mutex
	var group sync.WaitGroup
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		inside += by
		most = max(most, inside)
	}
	for range 20 {
		group.Go(func() {
			err := locked(t.Context(), dir, func() error {
				count(1)
				defer count(-1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most != 1 {
		t.Errorf("%d were inside at once", most)
	}
}
