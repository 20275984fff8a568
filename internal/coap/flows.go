package coap

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
)

// largestDatagram is more than a handshake's largest.
const largestDatagram = 8 << 10

// flows takes the datagrams of a UDP port apart by client: by the connection
// id on their records where the client was given one (RFC 9146), else by
// address. Clients that are not known are asked for a cookie, without anything
// being kept of them.
type flows struct {
	socket  *net.UDPConn
	cookies *cookies
	suites  []dtls.CipherSuiteID  // of ours
	open    func(*flow) bool      // a client has proved its address; must not wait
	full    func(netip.Addr) bool // no client of this address can be let in now

	beginning sync.Mutex // held while a client is let in
	mu        sync.Mutex
	byAddress map[netip.AddrPort]*flow
	byID      map[peerID]*flow
	replaced  map[*flow]*flow // by those that are to take their place
	closing   bool            // no new clients; the socket goes with the last one
}

func newFlows(socket *net.UDPConn) *flows {
	return &flows{
		socket:    socket,
		cookies:   newCookies(),
		byAddress: map[netip.AddrPort]*flow{},
		byID:      map[peerID]*flow{},
		replaced:  map[*flow]*flow{},
	}
}

// readPause is how long we wait when the system cannot read.
const readPause = 10 * time.Millisecond

// read hands datagrams out until the socket is closed.
func (l *flows) read(ctx context.Context) {
	buffer := make([]byte, largestDatagram+1)
	for {
		n, from, err := l.socket.ReadFromUDPAddrPort(buffer)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			select {
			case <-time.After(readPause):
			case <-ctx.Done(): // connections may live on
			}
		case n <= largestDatagram:
			l.receive(buffer[:n], from)
		}
	}
}

// receive hands one datagram to its connection, or begins a new one.
func (l *flows) receive(data []byte, from netip.AddrPort) {
	known, before := l.find(data, from)
	hello, isHello := parseClientHello(data)
	if known != nil && (!isHello || hello.random == known.random) {
		known.deliver(data, from)
		if before != nil { // which goes on until the handshake is done, and tells its records by their keys
			before.deliver(data, from)
		}
		return
	}
	if !isHello || l.full(from.Addr()) {
		return
	}
	if !l.cookies.accept(from, hello) {
		_ = l.send(hello.verifyRequest(l.cookies.make(from, hello)), from)
		return
	}
	// The library counts the ClientHello without a cookie as number 0 and the
	// one with it as 1.
	if hello.message == 1 && hello.record > 0 {
		l.begin(hello, from)
	}
}

// find returns whose datagram it is, and whom that is to replace.
func (l *flows) find(data []byte, from netip.AddrPort) (known, before *flow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id, ok := idOf(data); ok {
		return l.byID[id], nil
	}
	known = l.byAddress[from]
	return known, l.replaced[known]
}

// idOf is the connection id of a datagram's first record, if it has one. Ids
// are all of one size: the wire does not say which.
func idOf(data []byte) (id peerID, ok bool) {
	const at = 11 // RFC 9146 §4
	if len(data) < at+peerIDSize || data[0] != recordWithID {
		return id, false
	}
	copy(id[:], data[at:])
	return id, true
}

// begin makes a flow for a client that has proved its address. One that had
// the address before stays until the handshake is done (RFC 6347 §4.2.8): the
// client may have lost what it knew.
func (l *flows) begin(hello *clientHello, from netip.AddrPort) {
	f := &flow{flows: l, random: hello.random, from: from}
	rand.Read(f.id[:]) // never fails: crypto/rand aborts the program instead
	f.shaking = newShaking(f, hello)
	l.beginning.Lock()
	defer l.beginning.Unlock()
	if !l.add(f) {
		return
	}
	f.deliver(hello.first(), from)
	if !l.open(f) {
		f.end(net.ErrClosed)
	}
}

func (l *flows) add(f *flow) bool {
	var abandoned *flow
	defer func() {
		if abandoned != nil {
			abandoned.end(net.ErrClosed)
		}
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return false
	}
	before := l.byAddress[f.from]
	switch {
	case before == nil:
	case before.settled:
		l.replaced[f] = before
	default: // its client has begun anew
		if earlier := l.replaced[before]; earlier != nil {
			l.replaced[f] = earlier
			delete(l.replaced, before)
		}
		abandoned = before
	}
	l.byAddress[f.from], l.byID[f.id] = f, f
	return true
}

// settled says that a flow's handshake is done: what it replaces ends.
func (l *flows) settled(f *flow) {
	l.mu.Lock()
	f.settled = true
	before := l.replaced[f]
	delete(l.replaced, f)
	l.mu.Unlock()
	if before != nil {
		before.end(io.EOF)
	}
}

// moved frees the address of a client that is reached at another one now. Who
// begins there is somebody else.
func (l *flows) moved(f *flow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	there := l.byAddress[f.from]
	switch f {
	case there:
		delete(l.byAddress, f.from)
	case l.replaced[there]:
		delete(l.replaced, there)
	}
}

// forget forgets a flow that is closed. If it was to replace another one, that
// has the address again.
func (l *flows) forget(f *flow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.replaced[f]
	delete(l.replaced, f)
	delete(l.byID, f.id)
	if l.byAddress[f.from] == f {
		delete(l.byAddress, f.from)
		if before != nil && !before.isClosed() {
			l.byAddress[f.from] = before
		}
	}
	if l.closing && len(l.byID) == 0 {
		_ = l.socket.Close()
	}
}

func (l *flows) send(data []byte, to netip.AddrPort) error {
	_, err := l.socket.WriteToUDPAddrPort(data, to)
	return err
}

// close lets no more clients in. Connections live on, but those that are closed.
func (l *flows) close() error {
	l.beginning.Lock()
	defer l.beginning.Unlock()
	l.mu.Lock()
	l.closing = true
	last := len(l.byID) == 0
	present := slices.Collect(maps.Values(l.byID))
	l.mu.Unlock()
	if last {
		return l.socket.Close()
	}
	for _, f := range present {
		if f.isLingering() {
			f.end(net.ErrClosed)
		}
	}
	return nil
}

func (l *flows) isClosing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing
}
