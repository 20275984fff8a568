//go:build unix

package ssh

import (
	"os"
	"syscall"
)

// lockFile waits for other processes of ours that write to the file; closing it
// ends the lock. File systems without locks go without.
func lockFile(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }
