//go:build unix

package filelock

import (
	"errors"
	"os"
	"syscall"
)

// Lock waits for the lock that nobody else has.
func Lock(f *os.File) error { return flock(f, syscall.LOCK_EX) }

// TryLock is Lock that does not wait: ErrHeld.
func TryLock(f *os.File) error { return flock(f, syscall.LOCK_EX|syscall.LOCK_NB) }

// TryShare takes the lock that others may share, and does not wait: ErrHeld.
func TryShare(f *os.File) error { return flock(f, syscall.LOCK_SH|syscall.LOCK_NB) }

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrHeld
		default:
			return err
		}
	}
}
