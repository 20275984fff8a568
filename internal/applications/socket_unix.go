//go:build unix

package applications

import "syscall"

// withMask calls f under another mask of rights for new files. The mask is the
// whole process's.
func withMask(mask int, f func()) {
	defer syscall.Umask(syscall.Umask(mask))
	f()
}
