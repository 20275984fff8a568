package keystore

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock waits for the exclusive advisory lock on the file at path. The kernel
// releases it when the holder dies. It excludes goroutines from each other
// too, because each call opens the file anew.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the storage: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("cannot lock the storage: %w", err)
	}
	return func() { _ = f.Close() }, nil // closing releases the lock; nothing was written
}
