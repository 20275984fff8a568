// Package coaptest has connections in memory for tests of what runs on CoAP:
// they carry whole messages between two ends, without DTLS. Only tests import
// it.
package coaptest

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net"
	"sync"

	"mbl/internal/coap"
)

// backlog is how many messages may wait unread at one end.
const backlog = 256

// Conn is one end of a pipe.
type Conn struct {
	// Peer is what PeerCertificate returns.
	Peer *x509.Certificate
	// Lose, if set, decides about each message this end sends: true loses it.
	Lose func(message []byte) bool

	address  net.Addr
	incoming chan []byte
	other    *Conn
	once     sync.Once
	closed   chan struct{}
}

var _ coap.Conn = (*Conn)(nil)

// Pipe makes a connection and returns its two ends.
func Pipe() (*Conn, *Conn) {
	a, b := newEnd(1), newEnd(2)
	a.other, b.other = b, a
	return a, b
}

func newEnd(port int) *Conn {
	return &Conn{
		address:  &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port},
		incoming: make(chan []byte, backlog),
		closed:   make(chan struct{}),
	}
}

// ReadMessage implements coap.Conn. What was sent before the other end closed
// can still be read.
func (c *Conn) ReadMessage(ctx context.Context) ([]byte, error) {
	select {
	case message := <-c.incoming:
		return message, nil
	default:
	}
	select {
	case message := <-c.incoming:
		return message, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.closed:
		return nil, net.ErrClosed
	case <-c.other.closed:
		return c.lastWords()
	}
}

func (c *Conn) lastWords() ([]byte, error) {
	select {
	case message := <-c.incoming:
		return message, nil
	default:
		return nil, io.EOF
	}
}

// WriteMessage implements coap.Conn.
func (c *Conn) WriteMessage(message []byte) error {
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	if c.Lose != nil && c.Lose(message) {
		return nil
	}
	select {
	case c.other.incoming <- bytes.Clone(message):
	default: // a datagram too many is lost
	}
	return nil
}

// Close implements coap.Conn.
func (c *Conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// RemoteAddr implements coap.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.other.address }

// PeerCertificate implements coap.Conn.
func (c *Conn) PeerCertificate() *x509.Certificate { return c.Peer }
