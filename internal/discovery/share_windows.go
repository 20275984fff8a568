package discovery

import "golang.org/x/sys/windows"

// sharePort lets the socket use a port that others have open too.
func sharePort(fd uintptr) error {
	return windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
}
