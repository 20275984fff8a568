package coap

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Mover is a Conn that can follow the machine to another network address.
type Mover interface {
	// Move looks which address the kernel would use for the peer now and goes
	// there if it is not the one in use. ErrMoved says that the connection
	// cannot follow; any other error that there is no way to the peer at the
	// moment.
	Move() error
}

// ErrMoved says that our address is gone and the peer gave us no connection id
// (RFC 9146) by which it would know us at another.
var ErrMoved = errors.New("the network address changed")

// movableSocket is a UDP socket connected to one peer, so that it learns at
// once when nobody listens there (ICMP), which can be replaced by one with
// another address of ours. What else goes wrong on the way is loss, which the
// layers above repair.
type movableSocket struct {
	peer   *net.UDPAddr
	withID atomic.Bool // we send records with the peer's connection id

	mu       sync.Mutex
	current  *net.UDPConn
	closed   bool
	deadline time.Time // for reading
}

var _ net.PacketConn = (*movableSocket)(nil)

func newMovableSocket(peer netip.AddrPort) (*movableSocket, error) {
	address := net.UDPAddrFromAddrPort(peer)
	socket, err := net.DialUDP("udp", nil, address)
	if err != nil {
		return nil, err
	}
	return &movableSocket{peer: address, current: socket}, nil
}

func (m *movableSocket) socket() *net.UDPConn {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current
}

// ReadFrom implements net.PacketConn.
func (m *movableSocket) ReadFrom(data []byte) (int, net.Addr, error) {
	for {
		socket := m.socket()
		n, from, err := socket.ReadFrom(data)
		if err == nil || !isLoss(err) && m.socket() == socket {
			return n, from, err
		}
	}
}

// WriteTo sends to the peer, whatever address is given.
func (m *movableSocket) WriteTo(data []byte, _ net.Addr) (int, error) {
	if len(data) > 0 && data[0] == recordWithID {
		m.withID.Store(true)
	}
	for {
		socket := m.socket()
		n, err := socket.Write(data)
		switch {
		case err == nil:
			return n, nil
		case isLoss(err):
			return len(data), nil
		case m.socket() == socket:
			return n, err
		}
	}
}

// isLoss tells errors that mean that a datagram did not get through, now: no
// route, no link, a firewall, a host that does not answer.
func isLoss(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
		syscall.EADDRNOTAVAIL, syscall.EPERM, syscall.EACCES, syscall.ENOBUFS, syscall.EINVAL,
	}, func(loss error) bool { return errors.Is(err, loss) })
}

// Move implements Mover.
func (m *movableSocket) Move() error {
	next, err := net.DialUDP("udp", nil, m.peer)
	if err != nil {
		return fmt.Errorf("cannot reach %v: %w", m.peer, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		_ = next.Close()
		return net.ErrClosed
	case addressOf(next) == addressOf(m.current):
		return next.Close()
	case !m.withID.Load() && isOurs(addressOf(m.current)):
		return next.Close() // the way may still hold
	case !m.withID.Load():
		_ = next.Close()
		return ErrMoved
	}
	if err := next.SetReadDeadline(m.deadline); err != nil {
		_ = next.Close()
		return err
	}
	old := m.current
	m.current = next
	return old.Close() // wakes the reader
}

func addressOf(socket *net.UDPConn) netip.Addr {
	return socket.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
}

// isOurs tells whether an interface has the address.
func isOurs(address netip.Addr) bool {
	networks, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(networks, func(network net.Addr) bool {
		prefix, err := netip.ParsePrefix(network.String())
		return err == nil && prefix.Addr() == address
	})
}

// Close implements net.PacketConn.
func (m *movableSocket) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return m.current.Close()
}

// LocalAddr implements net.PacketConn.
func (m *movableSocket) LocalAddr() net.Addr { return m.socket().LocalAddr() }

// SetDeadline implements net.PacketConn.
func (m *movableSocket) SetDeadline(t time.Time) error {
	return errors.Join(m.SetReadDeadline(t), m.SetWriteDeadline(t))
}

// SetReadDeadline implements net.PacketConn.
func (m *movableSocket) SetReadDeadline(t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deadline = t
	return m.current.SetReadDeadline(t)
}

// SetWriteDeadline implements net.PacketConn. Sending datagrams does not wait.
func (m *movableSocket) SetWriteDeadline(t time.Time) error { return m.socket().SetWriteDeadline(t) }

// movableConn is a dialled connection.
type movableConn struct {
	*dtlsConn
	socket *movableSocket
}

var (
	_ Conn  = movableConn{}
	_ Mover = movableConn{}
)

// Move implements Mover.
func (c movableConn) Move() error { return c.socket.Move() }
