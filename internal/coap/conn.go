package coap

import (
	"context"
	"crypto/x509"
	"net"
)

// Conn carries whole CoAP messages to and from one peer whose certificate has
// been verified. One goroutine may read while others write.
type Conn interface {
	// ReadMessage waits for the next message. It returns ctx's error when ctx
	// ends first, io.EOF when the peer has closed, and net.ErrClosed after Close.
	ReadMessage(ctx context.Context) ([]byte, error)
	// WriteMessage sends one message.
	WriteMessage(message []byte) error
	// Close tells the peer (close_notify) and releases the connection. It may
	// be called more than once.
	Close() error
	RemoteAddr() net.Addr
	// PeerCertificate is the certificate the peer proved to hold.
	PeerCertificate() *x509.Certificate
}
