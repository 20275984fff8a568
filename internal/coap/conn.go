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
	// PeerCertificate is the certificate the peer proved to hold; nil if it has a
	// pre-shared key (PeerOf).
	PeerCertificate() *x509.Certificate
}

// attended is a Conn that hands its messages over, so that nobody has to wait
// for them.
type attended interface {
	// attend has every message handed to take, one after the other, and ended
	// called once, in a goroutine of its own, with what ReadMessage would
	// return. take must not wait. ReadMessage must not be called then.
	attend(take func(message []byte), ended func(why error))
}
