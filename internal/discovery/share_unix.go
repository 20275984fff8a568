//go:build unix

package discovery

import (
	"errors"

	"golang.org/x/sys/unix"
)

// sharePort lets the socket use a port that others have open too. Both options
// are needed: which one the others set differs.
func sharePort(fd uintptr) error {
	return errors.Join(
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
	)
}
