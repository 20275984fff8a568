// Package filelock locks open files against other processes, as flock(2) does:
// the operating system ends the lock when the file is closed or the process
// dies, so none is ever left behind.
package filelock

import "errors"

// ErrHeld means that somebody else has the lock.
var ErrHeld = errors.New("the file is locked")
