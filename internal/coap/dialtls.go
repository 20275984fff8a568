package coap

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"reflect"
	"sync"
	"time"
)

// farewellTimeout bounds the sending of close_notify.
const farewellTimeout = 5 * time.Second

// errRecordTooLong: the peer sent what no message of this protocol is.
var errRecordTooLong = fmt.Errorf("a record of more than %d bytes", maxDatagram-1)

// DialTLS connects to a server, "host:port", over TLS 1.2 and TCP, with one
// message in a TLS record as the original device client has it, but with the
// suite of other clients (ECDHE-ECDSA-AES128-GCM-SHA256), since Go has not the
// original's. Everything else is as for Dial.
func DialTLS(ctx context.Context, address string, cfg DialConfig) (Conn, error) {
	if cfg.RootCA == nil {
		return nil, errors.New("cannot connect without the server's CA certificate")
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(cfg.HandshakeTimeout, defaultHandshakeTimeout))
	defer cancel()
	socket, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", address, err)
	}
	conn := tls.Client(socket, tlsConfig(cfg))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("cannot complete the handshake with %s: %w", address, tlsRefusal(err))
	}
	return &tlsConn{
		conn:   conn,
		peer:   conn.ConnectionState().PeerCertificates[0],
		buffer: make([]byte, maxDatagram),
		closed: make(chan struct{}),
	}, nil
}

func tlsConfig(cfg DialConfig) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		MaxVersion:   tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		Certificates: []tls.Certificate{cfg.Certificate},
		// The server's certificate is sent whatever authorities it names.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cfg.Certificate, nil },

		InsecureSkipVerify:     true, //nolint:gosec // VerifyPeerCertificate does it, without the name
		VerifyPeerCertificate:  verifyWith(func(leaf *x509.Certificate, rest []*x509.Certificate) error { return verifyServer(leaf, rest, cfg) }),
		SessionTicketsDisabled: true,
		// Several records would be several messages.
		DynamicRecordSizingDisabled: true,
	}
}

// tlsRefusal wraps err in ErrRefused if it is the server's alert about our
// certificate. The library's type for alerts, a number, has no public name.
func tlsRefusal(err error) error {
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" {
		return err
	}
	alert := reflect.ValueOf(remote.Err)
	if alert.Kind() == reflect.Uint8 && isAboutCertificate(byte(alert.Uint())) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// tlsConn is a Conn whose messages are the records of a TLS connection.
type tlsConn struct {
	conn      *tls.Conn
	peer      *x509.Certificate
	buffer    []byte // for the one reader
	closeOnce sync.Once
	closed    chan struct{}
}

var _ Conn = (*tlsConn)(nil)

// ReadMessage implements Conn: one read returns what one record holds.
func (c *tlsConn) ReadMessage(ctx context.Context) ([]byte, error) {
	defer interruptBy(ctx, c.conn)()
	n, err := c.conn.Read(c.buffer)
	switch {
	case err == nil && n == len(c.buffer):
		return nil, errRecordTooLong
	case err == nil:
		return append([]byte(nil), c.buffer[:n]...), nil
	case c.isClosed():
		return nil, net.ErrClosed
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		return nil, err
	}
}

// WriteMessage implements Conn.
func (c *tlsConn) WriteMessage(message []byte) error {
	if c.isClosed() {
		return net.ErrClosed
	}
	_, err := c.conn.Write(message)
	return err
}

// Close implements Conn.
func (c *tlsConn) Close() error {
	var err error
	c.closeOnce.Do(func() {
		close(c.closed)
		_ = c.conn.SetWriteDeadline(time.Now().Add(farewellTimeout))
		err = c.conn.Close()
	})
	return err
}

func (c *tlsConn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// RemoteAddr implements Conn.
func (c *tlsConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// PeerCertificate implements Conn.
func (c *tlsConn) PeerCertificate() *x509.Certificate { return c.peer }
