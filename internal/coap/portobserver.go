package coap

import (
	"errors"
	"fmt"
	"time"
)

// Transport is how datagrams or records travel.
type Transport string

// The transports.
const (
	UDP Transport = "udp"
	TCP Transport = "tcp"
)

// Handshake is a handshake that has ended.
type Handshake struct {
	Transport Transport
	Suite     string // as IANA names it; empty if the handshake failed
	Resumed   bool
	Took      time.Duration
	Err       error // nil: it succeeded
}

// Refusal is why a peer was not listened to.
type Refusal string

// The refusals.
const (
	RefusedFull    Refusal = "full"    // as many connections as there may be
	RefusedCrowded Refusal = "crowded" // as many of its address
	RefusedSilent  Refusal = "silent"  // it connected and said nothing
)

// PortObserver learns what happens at a port. Its methods must not wait.
type PortObserver interface {
	HandshakeEnded(Handshake)
	PeerRefused(Transport, Refusal)
}

// Errors that say why a handshake failed, for PortObservers.
var (
	// ErrStalled: it was given up because others waited.
	ErrStalled = errors.New("handshake stalled while others waited")
	// ErrPeerRefused: VerifyPeer refused the certificate.
	ErrPeerRefused = errors.New("peer refused")
)

// Nobody is a PortObserver that learns nothing.
type Nobody struct{}

var _ PortObserver = Nobody{}

// HandshakeEnded implements PortObserver.
func (Nobody) HandshakeEnded(Handshake) {}

// PeerRefused implements PortObserver.
func (Nobody) PeerRefused(Transport, Refusal) {}

// refusing marks the verdict of a check as a refusal.
func refusing(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrPeerRefused, err)
}
