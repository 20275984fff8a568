//go:build !windows

package atomicfile

import (
	"errors"
	"syscall"
)

// ignoreUnsupported: some file systems (FUSE, network shares) cannot sync a
// directory; the rename has happened all the same.
func ignoreUnsupported(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
