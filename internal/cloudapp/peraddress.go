package cloudapp

import (
	"net"
	"net/netip"

	"mbl/internal/coap/gate"
)

// perAddress is a listener for HTTP that closes the connections of an address
// which has its number of them, so that nobody takes all there may be.
type perAddress struct {
	net.Listener
	gate *gate.Gate
}

func newPerAddress(listener net.Listener, most int) *perAddress {
	return &perAddress{listener, gate.New(gate.Limits{ConnectionsPerAddress: most})}
}

// Accept implements net.Listener.
func (l *perAddress) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, _ := netip.ParseAddrPort(conn.RemoteAddr().String()) // of TCP, it is one
		if visit, err := l.gate.Enter(from.Addr()); err == nil {
			return &visitingConn{conn, visit}, nil
		}
		conn.Close()
	}
}

// visitingConn is a connection that counts until it is closed.
type visitingConn struct {
	net.Conn
	visit *gate.Visit
}

// Close implements net.Conn.
func (c *visitingConn) Close() error {
	defer c.visit.Leave()
	return c.Conn.Close()
}
