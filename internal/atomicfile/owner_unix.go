//go:build unix

package atomicfile

import (
	"fmt"
	"os"
	"syscall"
)

// GiveToOwnerOf gives f to whoever owns the folder dir, where we are root and
// that is somebody else: what root leaves in a service's folder must be the
// service's. f is something just made; a name could be another file by now.
func GiveToOwnerOf(dir string, f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 && owner.Gid == 0 {
		return nil
	}
	if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("cannot give it to the folder's owner: %w", err)
	}
	return nil
}
