package applications

import (
	"net"

	"golang.org/x/sys/unix"
)

// uidOf is the user of the program at the other end, -1 if unknown.
func uidOf(conn *net.UnixConn) int {
	uid := -1
	raw, err := conn.SyscallConn()
	if err != nil {
		return uid
	}
	_ = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(peer.Uid)
		}
	})
	return uid
}
