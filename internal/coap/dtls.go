package coap

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	stdelliptic "crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/logging"
)

const (
	defaultHandshakeTimeout = 60 * time.Second

	// maxDatagram bounds one message: more than a block with the longest path
	// and query that devices send.
	maxDatagram = 2048
)

// sharedOptions are what both sides offer: the two suites devices have, P-256
// with SHA-256 only.
func sharedOptions(certificate tls.Certificate) []dtls.Option {
	return append([]dtls.Option{
		dtls.WithCertificates(certificate),
		dtls.WithCipherSuites(certificateSuites()...),
	}, alwaysOptions()...)
}

func alwaysOptions() []dtls.Option {
	return []dtls.Option{
		dtls.WithEllipticCurves(elliptic.P256),
		dtls.WithSignatureSchemes(tls.ECDSAWithP256AndSHA256),
		dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{
			Writer:          io.Discard,
			DefaultLogLevel: logging.LogLevelDisabled,
		}),
	}
}

// certificateSuites are in the order of our clients, which decides: they have
// processors that do GCM in hardware, and its tags are twice as long.
func certificateSuites() []dtls.CipherSuiteID {
	return []dtls.CipherSuiteID{
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
	}
}

// dtlsConn is a Conn on a DTLS connection whose handshake is done.
type dtlsConn struct {
	conn      *dtls.Conn
	peer      Peer
	buffer    []byte // for the one reader
	log       *slog.Logger
	closeOnce sync.Once
	closed    chan struct{}
}

var _ Conn = (*dtlsConn)(nil)

// shakeHands runs the handshake and closes conn when it fails.
func shakeHands(ctx context.Context, conn *dtls.Conn, timeout time.Duration, prove func(*dtls.Conn) (Peer, error), log *slog.Logger) (*dtlsConn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	peer, err := prove(conn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	peer.Since = began
	return &dtlsConn{
		conn:   conn,
		peer:   peer,
		buffer: make([]byte, maxDatagram),
		log:    log,
		closed: make(chan struct{}),
	}, nil
}

// provedPeer is who the peer of a finished handshake is: accepted, if it came
// with a certificate.
func provedPeer(conn *dtls.Conn, accepted Peer) (Peer, error) {
	if accepted.Certificate != nil {
		return accepted, nil
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return Peer{}, errors.New("the handshake is not done")
	}
	if len(state.IdentityHint) > 0 { // only a suite with pre-shared keys has one
		return Peer{SharedKey: string(state.IdentityHint)}, nil
	}
	return Peer{}, errors.New("peer has no certificate")
}

func parseChain(raw [][]byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for _, der := range raw {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("cannot read peer's certificate: %w", err)
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, errors.New("peer has no certificate")
	}
	return chain, nil
}

// ReadMessage implements Conn. Datagrams that cannot be read are skipped.
func (c *dtlsConn) ReadMessage(ctx context.Context) ([]byte, error) {
	defer interruptBy(ctx, c.conn)()
	for {
		n, err := c.conn.Read(c.buffer)
		switch {
		case err == nil:
			return bytes.Clone(c.buffer[:n]), nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case c.isClosed():
			return nil, net.ErrClosed
		case isFatal(err):
			return nil, err
		}
		c.log.Debug("datagram skipped", "peer", c.RemoteAddr(), "error", err)
	}
}

// isFatal tells errors that end a connection from those of one datagram.
func isFatal(err error) bool {
	var fatal *dtls.FatalError
	var system syscall.Errno
	return errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &fatal) || errors.As(err, &system)
}

// WriteMessage implements Conn.
func (c *dtlsConn) WriteMessage(message []byte) error {
	if c.isClosed() {
		return net.ErrClosed
	}
	_, err := c.conn.Write(message)
	return err
}

// Close implements Conn.
func (c *dtlsConn) Close() error {
	var err error
	c.closeOnce.Do(func() {
		close(c.closed)
		err = c.conn.Close()
	})
	return err
}

func (c *dtlsConn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// RemoteAddr implements Conn. It changes when the peer moves and was given a
// connection id.
func (c *dtlsConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// PeerCertificate implements Conn.
func (c *dtlsConn) PeerCertificate() *x509.Certificate { return c.peer.Certificate }

// Peer is what PeerOf returns.
func (c *dtlsConn) Peer() Peer { return c.peer }

// chainCheck decides about a peer's certificate; rest is what else it sent.
type chainCheck func(leaf *x509.Certificate, rest []*x509.Certificate) error

// keeping is a check that keeps the chain it accepts, which so is parsed once.
func keeping(accepted *Peer, check chainCheck) chainCheck {
	return func(leaf *x509.Certificate, rest []*x509.Certificate) error {
		err := check(leaf, rest)
		if err == nil {
			accepted.Certificate, accepted.Others = leaf, rest
		}
		return err
	}
}

// verifyWith makes the library's kind of check of ours, after making sure that
// the peer's key is one we work with.
func verifyWith(check chainCheck) func([][]byte, [][]*x509.Certificate) error {
	return func(raw [][]byte, _ [][]*x509.Certificate) error {
		chain, err := parseChain(raw)
		if err != nil {
			return err
		}
		key, ok := chain[0].PublicKey.(*ecdsa.PublicKey)
		if !ok || key.Curve != stdelliptic.P256() {
			return errors.New("peer's key is not on P-256")
		}
		return check(chain[0], chain[1:])
	}
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
