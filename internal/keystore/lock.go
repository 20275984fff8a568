package keystore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"mbl/internal/atomicfile"
	"mbl/internal/filelock"
	"mbl/internal/regularfile"
)

// lock waits for the exclusive advisory lock on the file at path. The kernel
// releases it when the holder dies. It excludes goroutines from each other
// too, because each call opens the file anew.
func lock(path string) (unlock func(), err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the storage: %w", err)
	}
	if err := filelock.Lock(f); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("cannot lock the storage: %w", err)
	}
	return func() { _ = f.Close() }, nil // closing releases the lock; nothing was written
}

// openLock opens the file at path, or makes it.
func openLock(path string) (*os.File, error) {
	const flags = os.O_RDWR | regularfile.NoFollow | syscall.O_NONBLOCK
	f, err := os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path, flags, 0)
	}
	if err != nil {
		return nil, err
	}
	if err := atomicfile.GiveToOwnerOf(filepath.Dir(path), f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
