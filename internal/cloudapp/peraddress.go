package cloudapp

import (
	"net"
	"net/netip"
	"sync"

	"mbl/internal/coap/gate"
)

// perAddress is a listener for HTTP that closes the connections of an address
// which has its number of them, so that nobody takes all there may be.
type perAddress struct {
	net.Listener
	most int

	mu   sync.Mutex
	open map[netip.Prefix]int
}

func newPerAddress(listener net.Listener, most int) *perAddress {
	return &perAddress{Listener: listener, most: most, open: map[netip.Prefix]int{}}
}

// Accept implements net.Listener.
func (l *perAddress) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := neighborhoodOf(conn)
		if l.enter(from) {
			return &countedConn{conn, sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		conn.Close()
	}
}

// neighborhoodOf is what counts as the address a connection comes from.
func neighborhoodOf(conn net.Conn) netip.Prefix {
	address, _ := netip.ParseAddrPort(conn.RemoteAddr().String()) // of TCP, it is one
	return gate.Neighborhood(address.Addr())
}

func (l *perAddress) enter(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from] >= l.most {
		return false
	}
	l.open[from]++
	return true
}

func (l *perAddress) leave(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
}

// countedConn is a connection that counts until it is closed.
type countedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
