package coap

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mbl/internal/coap/record"
)

const (
	// maxQueued is how many datagrams may wait to be read, and maxQueuedBytes
	// how much they may hold together. What exceeds it is dropped, as a network
	// would.
	maxQueued      = 32
	maxQueuedBytes = 32 << 10
	// maxGiven bounds what a handshake is given, in bytes: several times one
	// with all its repetitions. Anybody can send it in another's name, and the
	// library keeps the pieces of handshake messages it is waiting for, and a
	// hundred datagrams that it cannot decrypt yet.
	maxGiven = 64 << 10
)

// shaking is the datagrams of a client in its handshake: a net.PacketConn for
// the DTLS library. Once the library has sent its last flight the handshake is
// done, as far as it is concerned; what comes then is for who takes over.
type shaking struct {
	flow   *flow
	peerID []byte   // connection id that the client wants on our records, if any
	draft  *draftID // the client would have a connection id of the draft; nil: no
	// takesID tells whether the client may have a connection id. With a suite of
	// CBC it may not: the library authenticates such records as nobody else does.
	takesID bool
	// unknownIdentity: there is no pre-shared key of the client's.
	unknownIdentity atomic.Bool

	second []byte // the ClientHello with the cookie, until the library has asked for one
	shift  uint64 // is added to the numbers of plaintext records
	cookie []byte
	setUp  func(cookie []byte) bool // has the library expect the cookie

	mu        sync.Mutex
	queue     []datagram
	queued    int // bytes
	given     int // bytes so far
	deadline  time.Time
	timer     *time.Timer
	last      []byte        // our last flight
	next      uint64        // above the number of every record of ours in epoch 1
	over      bool          // the connection has taken what was left
	arrived   chan struct{} // holds an element when ReadFrom should look again
	closed    chan struct{}
	closeOnce sync.Once
}

type datagram struct {
	data []byte
	from netip.AddrPort
}

var _ net.PacketConn = (*shaking)(nil)

func newShaking(f *flow, hello *clientHello) *shaking {
	s := &shaking{
		flow:    f,
		peerID:  bytes.Clone(hello.connectionID()),
		second:  bytes.Clone(hello.datagram),
		cookie:  bytes.Clone(hello.cookie),
		shift:   hello.record - 1,
		arrived: make(chan struct{}, 1),
		closed:  make(chan struct{}),
	}
	suite, _ := hello.chosen(f.flows.suites)
	s.takesID = !record.Suite(suite).UsesCBC()
	if hello.takesDraftID() {
		s.draft = &draftID{id: f.id}
	}
	return s
}

// deliver queues a datagram, which is copied. It returns false when nobody
// would fetch it any more: it is for the connection.
func (s *shaking) deliver(data []byte, from netip.AddrPort) bool {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return false
	}
	if s.draft != nil && s.last == nil {
		if data = s.draft.readable(data); len(data) == 0 {
			s.mu.Unlock()
			return true
		}
	}
	fits := len(s.queue) < maxQueued && s.queued+len(data) <= maxQueuedBytes && s.given+len(data) <= maxGiven
	if fits {
		s.queue = append(s.queue, datagram{bytes.Clone(data), from})
		s.queued += len(data)
		s.given += len(data)
	}
	s.mu.Unlock()
	if fits {
		s.wake()
	}
	return true
}

// hasPlaintext tells whether one of a datagram's records is not encrypted.
func hasPlaintext(data []byte) bool {
	for {
		r, rest, ok := record.Cut(data, peerIDSize)
		switch {
		case !ok:
			return len(data) >= recordHeaderSize && data[0] != recordWithID && epochOf(data) == 0
		case r.Epoch() == 0:
			return true
		}
		data = rest
	}
}

func (s *shaking) wake() {
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}

// ReadFrom implements net.PacketConn.
func (s *shaking) ReadFrom(buffer []byte) (int, net.Addr, error) {
	for {
		next, wait := s.take()
		switch {
		case next != nil:
			return copy(buffer, next.data), net.UDPAddrFromAddrPort(next.from), nil
		case wait != nil:
			return 0, nil, wait
		}
		select {
		case <-s.arrived:
		case <-s.closed:
			return 0, nil, io.EOF
		}
	}
}

// take returns the next datagram, or why there will be none.
func (s *shaking) take() (*datagram, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.deadline.IsZero() && !time.Now().Before(s.deadline) {
		return nil, os.ErrDeadlineExceeded
	}
	if len(s.queue) == 0 || s.last != nil {
		return nil, nil
	}
	next := s.queue[0]
	s.queue = s.queue[1:]
	s.queued -= len(next.data)
	return &next, nil
}

// rest returns what has come since the handshake was done. Nothing more is
// taken in.
func (s *shaking) rest() []datagram {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.queue
	s.queue, s.over = nil, true
	return rest
}

// WriteTo implements net.PacketConn. The library's own question for a cookie
// is not sent: the client has answered ours. After its last flight nothing is
// sent any more.
func (s *shaking) WriteTo(data []byte, _ net.Addr) (int, error) {
	if s.isClosed() {
		return 0, net.ErrClosed
	}
	if isVerifyRequest(data) {
		s.answerForClient()
		return len(data), nil
	}
	data = s.shifted(data)
	if s.unknownIdentity.Load() {
		data = unknownIdentity(data)
	}
	if !s.note(data) {
		return len(data), nil
	}
	if err := s.flow.flows.send(data, s.flow.from); err != nil {
		return 0, err
	}
	return len(data), nil
}

// note keeps the last flight, which is the one with encrypted records, and the
// numbers it uses. It returns false when that has been sent already.
func (s *shaking) note(data []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		return false
	}
	for rest := data; ; {
		r, after, ok := record.Cut(rest, len(s.peerID))
		if !ok {
			return true
		}
		if r.Epoch() > 0 {
			s.next = max(s.next, r.Number()+1)
			s.last = bytes.Clone(data)
		}
		rest = after
	}
}

// lastFlight is our last flight, once it is sent.
func (s *shaking) lastFlight() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func isVerifyRequest(data []byte) bool {
	return len(data) > recordHeaderSize && data[0] == recordHandshake && epochOf(data) == 0 &&
		data[recordHeaderSize] == helloVerifyMessage
}

// answerForClient has the library take the client's cookie, and gives it the
// ClientHello that brings it.
func (s *shaking) answerForClient() {
	if s.second == nil {
		return
	}
	second := s.second
	s.second = nil
	if !s.setUp(s.cookie) {
		s.flow.end(net.ErrClosed)
		return
	}
	s.deliver(second, s.flow.from)
}

// shifted numbers plaintext records as the client expects it: ServerHello has
// the number of the ClientHello it answers (RFC 6347 §4.2.1), since those
// before may have been used to ask for cookies.
func (s *shaking) shifted(data []byte) []byte {
	if s.shift == 0 || !hasPlaintext(data) {
		return data
	}
	data = bytes.Clone(data)
	for rest := data; len(rest) >= recordHeaderSize; {
		if epochOf(rest) == 0 {
			sequence := binary.BigEndian.Uint64(rest[3:]) // the epoch is 0
			binary.BigEndian.PutUint64(rest[3:], (sequence+s.shift)&maxSequence)
		}
		_, after, ok := record.Cut(rest, len(s.peerID))
		if !ok {
			break
		}
		rest = after
	}
	return data
}

// Close implements net.PacketConn: the library reads and sends nothing any
// more. The flow is not closed by it.
func (s *shaking) Close() error {
	s.closeOnce.Do(func() {
		close(s.closed)
		_ = s.SetReadDeadline(time.Time{})
	})
	return nil
}

func (s *shaking) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// LocalAddr implements net.PacketConn.
func (s *shaking) LocalAddr() net.Addr { return s.flow.flows.socket.LocalAddr() }

// SetDeadline implements net.PacketConn.
func (s *shaking) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (s *shaking) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if !t.IsZero() {
		s.timer = time.AfterFunc(time.Until(t), s.wake)
	}
	return nil
}

// SetWriteDeadline implements net.PacketConn; a datagram is written at once.
func (s *shaking) SetWriteDeadline(time.Time) error { return nil }
