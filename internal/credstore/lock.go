package credstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	lockFile = ".lock"
	lockPoll = 20 * time.Millisecond

	// A holder needs milliseconds. A lock seen unchanged for this long was
	// left behind by a process that died.
	lockAbandoned = 8 * time.Second
)

// locked runs work while no other process changes the store. The lock is a
// file that only one process can create, because shared folders know no other
// lock that can be relied on. What a killed process left behind is removed
// before work begins.
func locked(ctx context.Context, dir string, work func() error) (err error) {
	path := lockPath(dir)
	if err := takeLock(ctx, path, lockAbandoned); err != nil {
		return err
	}
	defer func() {
		if unlockErr := os.Remove(path); unlockErr != nil {
			err = errors.Join(err, fmt.Errorf("cannot unlock the store: %w", unlockErr))
		}
	}()
	if err := removeLeftovers(dir); err != nil {
		return err
	}
	return work()
}

func lockPath(dir string) string { return filepath.Join(dir, lockFile) }

// takeLock waits for the lock. One that stays unchanged for as long as
// abandoned says is taken away.
func takeLock(ctx context.Context, path string, abandoned time.Duration) error {
	var seen fs.FileInfo
	var since time.Time
	for {
		err := createLock(path)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fmt.Errorf("cannot look at the store's lock: %w", err)
		case !sameLock(seen, info):
			seen, since = info, time.Now()
		case time.Since(since) > abandoned:
			if err := breakLock(path, seen); err != nil {
				return err
			}
			seen = nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%w: %s exists: %w", ErrBusy, path, err)
		}
	}
}

func createLock(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, secretMode)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: %s: %w", ErrReadOnly, filepath.Dir(path), err)
	}
	if err != nil {
		return fmt.Errorf("cannot lock the store: %w", err)
	}
	return f.Close()
}

func sameLock(seen, now fs.FileInfo) bool {
	return seen != nil && os.SameFile(seen, now) && seen.ModTime().Equal(now.ModTime())
}

// breakLock removes an abandoned lock. Several processes may try at once:
// only one of them moves it away, and one that caught a newer lock instead
// puts that back.
func breakLock(path string, abandoned fs.FileInfo) error {
	aside := fmt.Sprintf("%s-%d-%d", path, os.Getpid(), time.Now().UnixNano())
	if err := os.Rename(path, aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("cannot remove the abandoned lock: %w", err)
	}
	moved, err := os.Lstat(aside)
	if err == nil && !sameLock(abandoned, moved) {
		err = os.Link(aside, path)
	}
	if err := errors.Join(err, os.Remove(aside)); err != nil {
		return fmt.Errorf("cannot remove the abandoned lock: %w", err)
	}
	return nil
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(lockPoll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
