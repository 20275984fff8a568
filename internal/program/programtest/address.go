package programtest

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
)

// Systems hand out ports above these to whoever asks for any (Linux from 32768
// on): one of them could be somebody else's by the time a program that has ended
// is started on it again.
const (
	firstPort = 10_000
	lastPort  = 30_000
)

// KeptAddress is an address of this machine, with a port that is free for UDP and
// TCP and stays so: for a program that is stopped and started again, or for
// nobody to listen on.
func KeptAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(firstPort+rand.IntN(lastPort-firstPort)))
		if isFree(address) {
			return address.String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

func isFree(address netip.AddrPort) bool {
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(address))
	if err != nil {
		return false
	}
	defer udp.Close()
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(address))
	if err != nil {
		return false
	}
	return tcp.Close() == nil
}
