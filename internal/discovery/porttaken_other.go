//go:build !linux

package discovery

import (
	"net"
	"strconv"
)

// portTaken tells whether a program of this machine has the port of multicast
// DNS.
func portTaken() bool {
	conn, err := net.ListenPacket("udp", ":"+strconv.Itoa(port))
	if err != nil {
		return true
	}
	conn.Close()
	return false
}
