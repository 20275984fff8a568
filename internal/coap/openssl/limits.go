package openssl

import (
	"time"

	"mbl/internal/coap"
	"mbl/internal/coap/gate"
)

// gateLimits are those of a TCP port. An accepted connection is not closed for
// its address's sake, since an original client would take it for a broken
// handshake; unless it and its neighbors leave no room to anybody else.
func (c ListenConfig) gateLimits() gate.Limits {
	return gate.Limits{
		Handshakes:           c.MaxHandshakes,
		HandshakesPerAddress: c.MaxHandshakesPerAddress,
		Unfinished:           c.MaxUnfinished,
		Connections:          c.MaxConnections,
		OpenPerAddress:       c.MaxConnectionsPerAddress,
		StalledAfter:         c.StalledAfter,
		PatienceWhenFull:     gate.DefaultPatience,
	}
}

func (c ListenConfig) observe() coap.PortObserver {
	if c.Observer == nil {
		return coap.Nobody{}
	}
	return c.Observer
}

// observed describes a handshake that began at a time and ended with conn or
// err.
func observed(conn *Conn, began time.Time, err error) coap.Handshake {
	h := coap.Handshake{Transport: coap.TCP, Took: time.Since(began), Err: err}
	if conn != nil {
		h.Suite, h.Resumed = conn.suite.registered(), conn.resumed
	}
	return h
}
