package coap

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// peerIDSize is the size of the connection ids we give.
const peerIDSize = connectionIDLength

// peerID is a connection id that clients put on their records (RFC 9146).
type peerID [peerIDSize]byte

// flow is one client of a UDP port: first a handshake, then a connection, and
// in the end neither.
type flow struct {
	flows  *flows
	id     peerID
	random [randomSize]byte // of the ClientHello
	from   netip.AddrPort   // where the client was at first

	settled bool // the handshake is done; belongs to flows

	mu        sync.Mutex
	left      func()   // called when the flow is closed, or stays for repetitions alone
	shaking   *shaking // until the handshake is done
	conn      *udpConn // from then on
	lingering *time.Timer
	closed    bool
}

// deliver takes in a datagram of the client.
func (f *flow) deliver(data []byte, from netip.AddrPort) {
	f.mu.Lock()
	shaking, conn := f.shaking, f.conn
	f.mu.Unlock()
	switch {
	case conn != nil:
		conn.receive(data, from)
	case shaking != nil && !shaking.deliver(data, from):
		f.deliver(data, from) // the connection has just taken over
	}
}

// takeOver puts a connection in the place of the handshake, and gives it what
// has come meanwhile. It returns false if the flow is closed.
func (f *flow) takeOver(conn *udpConn) bool {
	f.mu.Lock()
	shaking := f.shaking
	taken := shaking != nil && !f.closed
	if taken {
		f.shaking, f.conn = nil, conn
	}
	f.mu.Unlock()
	if !taken {
		return false
	}
	for _, d := range shaking.rest() {
		conn.receive(d.data, d.from)
	}
	return true
}

// end closes the flow: datagrams of the client are not for it any more. Who
// reads its connection is told why. It may be called again.
func (f *flow) end(why error) {
	f.mu.Lock()
	shaking, conn, first := f.shaking, f.conn, !f.closed
	f.shaking, f.conn, f.closed = nil, nil, true
	if f.lingering != nil {
		f.lingering.Stop()
	}
	f.mu.Unlock()
	if !first {
		return
	}
	if shaking != nil {
		_ = shaking.Close()
	}
	f.flows.forget(f)
	f.leave()
	if conn != nil {
		conn.gone(why)
	}
}

// linger keeps the flow of a connection that we have closed, for what its
// client repeats. It does not count any more.
func (f *flow) linger(limit time.Duration) {
	f.mu.Lock()
	first := !f.closed && f.lingering == nil
	if first {
		f.lingering = time.AfterFunc(limit, func() { f.end(net.ErrClosed) })
	}
	f.mu.Unlock()
	if !first {
		return
	}
	f.leave()
	if f.flows.isClosing() {
		f.end(net.ErrClosed)
	}
}

// leave gives up the place that the client has at the gate.
func (f *flow) leave() {
	f.mu.Lock()
	left := f.left
	f.left = nil
	f.mu.Unlock()
	if left != nil {
		left()
	}
}

func (f *flow) isLingering() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lingering != nil
}

func (f *flow) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}
