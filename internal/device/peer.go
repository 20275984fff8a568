package device

import (
	"net"
	"net/netip"
	"sync/atomic"
)

// peerAddress is the server's address while there is a connection.
type peerAddress struct {
	current atomic.Pointer[netip.AddrPort]
}

// set takes what is a UDP address; others are unknown.
func (p *peerAddress) set(address net.Addr) {
	if udp, ok := address.(*net.UDPAddr); ok {
		known := udp.AddrPort()
		p.current.Store(&known)
		return
	}
	p.current.Store(nil)
}

func (p *peerAddress) get() netip.AddrPort {
	if known := p.current.Load(); known != nil {
		return *known
	}
	return netip.AddrPort{}
}
