package coap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"time"
)

// DialConfig says who we are and whom we trust.
type DialConfig struct {
	// Certificate is ours, with its private key.
	Certificate tls.Certificate
	// RootCA is the only certificate the server's chain may end in. The
	// server's name is not checked.
	RootCA *x509.Certificate
	// Now is the time at which certificates must be valid. nil leaves validity
	// times unchecked: for devices without a trustworthy clock.
	Now func() time.Time
	// HandshakeTimeout bounds the handshake; 60 s when zero.
	HandshakeTimeout time.Duration
	Log              *slog.Logger
}

// Dial connects to a server, "host:port", over DTLS 1.2 (RFC 6347) with
// mutual certificates, and returns when the handshake is done.
func Dial(ctx context.Context, address string, cfg DialConfig) (Conn, error) {
	return nil, errors.ErrUnsupported
}

// ListenConfig says who the server is and whom it lets in.
type ListenConfig struct {
	// Certificate is the server's, with its private key.
	Certificate tls.Certificate
	// VerifyPeer decides about a client's certificate during the handshake,
	// after the client proved to hold its key. An error ends the handshake
	// with an alert. nil lets everyone in who has a P-256 certificate.
	VerifyPeer func(*x509.Certificate) error
	// HandshakeTimeout bounds one handshake; 60 s when zero.
	HandshakeTimeout time.Duration
	// MaxHandshakes bounds the handshakes under way at once; 512 when zero.
	MaxHandshakes int
	Log           *slog.Logger
}

// Listener accepts connections.
type Listener struct{}

// Listen opens a UDP port, "host:port" or ":port", for DTLS clients.
func Listen(address string, cfg ListenConfig) (*Listener, error) { return nil, errors.ErrUnsupported }

// Accept waits for the next client whose handshake is complete. It returns
// ctx's error when ctx ends and net.ErrClosed after Close.
func (l *Listener) Accept(ctx context.Context) (Conn, error) { return nil, errors.ErrUnsupported }

// Addr is the address the listener is bound to.
func (l *Listener) Addr() net.Addr { return nil }

// Close stops listening and handshaking. Accepted connections live on.
func (l *Listener) Close() error { return nil }
