//go:build unix

package credstore

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// groupOf is the number of the group a file belongs to.
func groupOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Gid)
	}
	return -1
}

// writable tells whether this person may write into a folder.
func writable(path string, _ fs.FileInfo) bool { return unix.Access(path, unix.W_OK|unix.X_OK) == nil }
