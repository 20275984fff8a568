//go:build unix

package regularfile

import "syscall"

// NoFollow in the flags of os.OpenFile refuses a symbolic link.
const NoFollow = syscall.O_NOFOLLOW
