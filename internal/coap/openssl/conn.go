package openssl

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"time"

	"mbl/internal/coap"
	"mbl/internal/coap/record"
)

// writeTimeout is how long a peer may leave what we send unread.
const writeTimeout = 30 * time.Second

// Conn is a connection whose handshake is done.
type Conn struct {
	socket  *net.TCPConn
	proof   *coap.Proof
	suite   Suite
	resumed bool
	session []byte // of a client

	framing coap.Framing

	reading sync.Mutex // held by who reads the socket
	records *recordReader
	failed  func(context.Context) // the peer's TLS broke
	left    func()                // the socket is gone; may be nil

	sending sync.Mutex // held from taking output to having sent it: records keep their order

	mu  sync.Mutex
	tls *established // nil once closed

	closeOnce sync.Once
	closed    chan struct{}
}

var _ coap.Conn = (*Conn)(nil)

// newConn makes a connection of a handshake that is done, with its last record
// sent; it owns the handshake's parts from then on, but for the engine, which
// is not needed any more.
func newConn(h *handshake, reached state, peer coap.Peer, failed func(context.Context)) (*Conn, error) {
	tls, err := establish(reached, h.passed)
	if err != nil {
		return nil, err
	}
	return &Conn{
		socket:  h.socket,
		proof:   coap.NewProof(peer),
		suite:   reached.suite,
		resumed: reached.resumed,
		records: h.records,
		failed:  failed,
		tls:     tls,
		closed:  make(chan struct{}),
	}, nil
}

// ReadMessage implements coap.Conn: one record with content is one message, or
// what the client's framing makes of records.
func (c *Conn) ReadMessage(ctx context.Context) ([]byte, error) {
	return c.framing.Next(func() ([]byte, error) { return c.readRecord(ctx) }, c.writeRecord)
}

// readRecord returns what a record holds that has content.
func (c *Conn) readRecord(ctx context.Context) ([]byte, error) {
	if c.isClosed() {
		return nil, net.ErrClosed // whoever lingers reads now
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	defer c.interruptBy(ctx)()
	for {
		next, err := c.records.next()
		switch {
		case err == nil:
		case c.isClosed():
			return nil, net.ErrClosed
		case ctx.Err() != nil:
			return nil, ctx.Err()
		default:
			return nil, err
		}
		message, err := c.decrypt(next)
		if errors.Is(err, record.ErrBroken) {
			c.failed(ctx)
		}
		if message != nil || err != nil {
			return message, err
		}
	}
}

// interruptBy makes reading fail once ctx ends. The function it returns makes
// reading possible again.
func (c *Conn) interruptBy(ctx context.Context) (restore func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.stopReading()
		close(interrupted)
	})
	return func() {
		if !stop() {
			<-interrupted
			_ = c.socket.SetReadDeadline(time.Time{})
		}
	}
}

func (c *Conn) stopReading() { _ = c.socket.SetReadDeadline(time.Unix(1, 0)) }

// decrypt returns a record's message, nil if it has none, and sends what there
// is to say to it: alerts.
func (c *Conn) decrypt(next []byte) ([]byte, error) {
	message, err := c.useTLS(func(tls *established) ([]byte, error) { return tls.read(next) })
	if sendErr := c.sendOutput(); err == nil {
		err = sendErr
	}
	return message, err
}

// WriteMessage implements coap.Conn: the message becomes one record. It is at
// most 16 KiB long. It fails when the peer does not read for 30 s. To a client
// that has not said anything yet nothing is sent.
func (c *Conn) WriteMessage(message []byte) error {
	if c.isClosed() {
		return net.ErrClosed
	}
	framed := c.framing.Frame(message)
	if framed == nil {
		return nil
	}
	return c.writeRecord(framed)
}

func (c *Conn) writeRecord(content []byte) error {
	_, err := c.useTLS(func(tls *established) ([]byte, error) { return nil, tls.write(content) })
	if err != nil {
		return err
	}
	return c.sendOutput()
}

// useTLS lends the protection; net.ErrClosed when there is none any more.
func (c *Conn) useTLS(use func(*established) ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tls == nil {
		return nil, net.ErrClosed
	}
	return use(c.tls)
}

// sendOutput sends what is written, also by others. A connection
// with half a record sent is of no use any more.
func (c *Conn) sendOutput() error {
	c.sending.Lock()
	defer c.sending.Unlock()
	output, err := c.useTLS(func(tls *established) ([]byte, error) { return tls.output(), nil })
	if len(output) == 0 || err != nil {
		return err
	}
	_ = c.socket.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := c.socket.Write(output); err != nil {
		c.socket.Close()
		return err
	}
	return nil
}

// Close implements coap.Conn. It returns when close_notify is on its way, if
// the peer is still there; the socket goes when the peer has closed, a few
// seconds later at most. It returns nil.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() {
		close(c.closed)
		c.stopReading()
		c.sayGoodbye()
		go c.linger()
	})
	return nil
}

// sayGoodbye sends close_notify after everything else.
func (c *Conn) sayGoodbye() {
	_ = c.socket.SetWriteDeadline(time.Now().Add(farewellTimeout)) // hurries a writer, too
	c.sending.Lock()
	defer c.sending.Unlock()
	_, _ = c.socket.Write(c.endTLS())
	_ = c.socket.CloseWrite()
}

func (c *Conn) endTLS() (last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tls.shutdown()
	last = c.tls.output()
	c.tls = nil
	return last
}

// linger waits for the peer to close, and for our reader to leave.
func (c *Conn) linger() {
	c.reading.Lock()
	defer c.reading.Unlock()
	readOut(c.socket, closeLinger)
	c.socket.Close()
	if c.left != nil {
		c.left()
	}
}

func (c *Conn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// RemoteAddr implements coap.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.socket.RemoteAddr() }

// PeerCertificate implements coap.Conn.
func (c *Conn) PeerCertificate() *x509.Certificate { return c.proof.Peer().Certificate }

// Peer is what coap.PeerOf returns.
func (c *Conn) Peer() coap.Peer { return c.proof.Peer() }

// Suite is the cipher suite in use.
func (c *Conn) Suite() Suite { return c.suite }

// Resumed says whether an earlier session was resumed.
func (c *Conn) Resumed() bool { return c.resumed }

// Session is what a client can offer as DialConfig.Resume another time, nil on
// the server's side. It is secret.
func (c *Conn) Session() []byte { return c.session }
