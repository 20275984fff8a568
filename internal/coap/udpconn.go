package coap

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"mbl/internal/coap/record"
)

// maxRepeats bounds how often our last flight is sent again. Clients ask for it
// when they have not got it, with growing pauses.
const maxRepeats = 16

// A client that has not got our close_notify repeats what it has not got the
// answer to either, after 4, 11 and 24 seconds or so. It is told again then (RFC
// 6347 §4.2.7): the original client goes on with what it was given when it hears
// that, and bootstraps again when it hears nothing. From another address it tries
// whether we still know its keys, and has to learn that we do not.
const (
	goodbyeLinger = 30 * time.Second
	maxGoodbyes   = 8
)

// udpConn is a Conn over DTLS whose handshake is done: what has to be known of
// it and nothing else, since most of them idle. The port's reader decrypts what
// comes; no goroutine waits for it.
type udpConn struct {
	flow  *flow
	proof *Proof
	log   *slog.Logger
	inbox inbox

	mu       sync.Mutex
	records  *record.Association
	address  netip.AddrPort // of the client
	last     []byte         // our last flight, until the client shows that it has it
	repeats  int
	closed   bool
	goodbyes int // how often we have sent close_notify
}

var (
	_ Conn     = (*udpConn)(nil)
	_ attended = (*udpConn)(nil)
)

// receive reads the records of a datagram. Those that are not the client's,
// came before, or cannot be read, are dropped (RFC 6347 §4.1.2.7).
func (c *udpConn) receive(data []byte, from netip.AddrPort) {
	for {
		r, rest, ok := record.Cut(data, peerIDSize)
		if !ok {
			return
		}
		if r.Epoch() > 0 { // nobody else's plaintext counts any more
			c.receiveRecord(r, from)
		}
		data = rest
	}
}

func (c *udpConn) receiveRecord(r record.Record, from netip.AddrPort) {
	content, parted, err := c.open(r, from)
	switch {
	case err != nil:
		c.log.Debug("datagram skipped", "peer", from, "error", err)
		return
	case parted && content.Kind == record.Alert: // it has heard us
		c.flow.end(net.ErrClosed)
		return
	case parted:
		c.repeatGoodbye()
		return
	}
	switch content.Kind {
	case record.ApplicationData:
		if len(content.Data) > 0 && len(content.Data) <= maxDatagram {
			c.inbox.put(content.Data)
		}
	case record.Alert:
		c.takeAlert(content.Data)
	case record.Handshake: // the client's last, again
		c.repeatLast()
	case record.ChangeCipherSpec:
	}
}

// open decrypts a record. A new address of the client is one from which its
// newest record has come (RFC 9146 §6). It tells whether we have said goodbye.
func (c *udpConn) open(r record.Record, from netip.AddrPort) (content record.Content, parted bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed && (c.goodbyes == 0 || from != c.address) {
		return record.Content{}, false, net.ErrClosed
	}
	content, err = c.records.Open(r)
	if err != nil {
		return record.Content{}, false, err
	}
	if content.Kind == record.ApplicationData {
		c.last = nil
	}
	if content.Newest && r.HasID() && from != c.address {
		c.address = from
		if from != c.flow.from {
			c.flow.flows.moved(c.flow)
		}
	}
	return content, c.goodbyes > 0, nil
}

// repeatLast sends our last flight again, the same records: a client that has
// them drops them. (RFC 6347 §4.2.4: in the state FINISHED.)
func (c *udpConn) repeatLast() {
	c.mu.Lock()
	last, to := c.last, c.address
	if c.repeats++; c.repeats >= maxRepeats {
		c.last = nil
	}
	c.mu.Unlock()
	if last != nil {
		_ = c.flow.flows.send(last, to) // the client asks again
	}
}

// takeAlert ends the connection if the client says so. A close_notify is
// answered by one (RFC 5246 §7.2.1).
func (c *udpConn) takeAlert(alert []byte) {
	ends, clean := record.Ends(alert)
	switch {
	case clean:
		c.sayGoodbye()
	case !ends:
		return
	}
	c.flow.end(io.EOF)
}

// ReadMessage implements Conn.
func (c *udpConn) ReadMessage(ctx context.Context) ([]byte, error) { return c.inbox.get(ctx) }

// attend implements attended.
func (c *udpConn) attend(take func([]byte), ended func(error)) { c.inbox.attend(take, ended) }

// WriteMessage implements Conn.
func (c *udpConn) WriteMessage(message []byte) error {
	err := c.write(record.ApplicationData, message)
	if errors.Is(err, record.ErrExhausted) {
		c.flow.end(err)
	}
	return err
}

func (c *udpConn) write(kind record.Kind, content []byte) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	sealed, err := c.records.Seal(kind, content)
	if kind == record.Alert { // close_notify: the client's answer to it is not waited for
		c.closed, c.goodbyes = true, 1
	}
	to := c.address
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.flow.flows.send(sealed, to)
}

// Close implements Conn.
func (c *udpConn) Close() error {
	c.sayGoodbye()
	c.gone(net.ErrClosed)
	c.flow.linger(goodbyeLinger) // unless the client has closed before
	return nil
}

// sayGoodbye sends close_notify. Nothing else is sent or read after it.
func (c *udpConn) sayGoodbye() {
	_ = c.write(record.Alert, record.CloseNotify()) // the client may be gone
}

// repeatGoodbye sends close_notify to a client that seems not to have got it.
func (c *udpConn) repeatGoodbye() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.goodbyes >= maxGoodbyes {
		return
	}
	c.goodbyes++
	if sealed, err := c.records.Seal(record.Alert, record.CloseNotify()); err == nil {
		_ = c.flow.flows.send(sealed, c.address) // the client asks again
	}
}

// gone says that the flow has ended: nothing is sent or read any more.
func (c *udpConn) gone(why error) {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.inbox.end(why)
}

// RemoteAddr implements Conn. It changes when the client moves and was given a
// connection id.
func (c *udpConn) RemoteAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return net.UDPAddrFromAddrPort(c.address)
}

// PeerCertificate implements Conn.
func (c *udpConn) PeerCertificate() *x509.Certificate { return c.proof.Peer().Certificate }

// Peer is what PeerOf returns.
func (c *udpConn) Peer() Peer { return c.proof.Peer() }
