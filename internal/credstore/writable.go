package credstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// EntryRoom is how much an entry of the team store takes at most while it is
// written, in bytes.
const EntryRoom = 64 << 10

// CheckWritable finds out whether the team store can be written to now, and has
// room for so many bytes. Whoever is about to do what cannot be taken back
// outside of the store asks first. The error matches ErrReadOnly or ErrNoSpace.
func (s *Stores) CheckWritable(ctx context.Context, room int) error {
	err := locked(ctx, s.Team.dir, func() error { return tryWriting(s.Team.dir, room) })
	if err != nil {
		return fmt.Errorf("cannot write to the team store: %w", spaceless(err))
	}
	return nil
}

func tryWriting(dir string, room int) error {
	if room == 0 {
		return nil
	}
	trial := filepath.Join(dir, newPrefix+"trial")
	return errors.Join(os.WriteFile(trial, make([]byte, room), secretMode), os.Remove(trial))
}

// spaceless gives the lack of room this package's name.
func spaceless(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
