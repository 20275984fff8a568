package coap

import (
	"cmp"
	"errors"
	"time"

	"mbl/internal/coap/gate"
)

// Limits bound what peers may use of a port. An address is an IPv4 address or
// an IPv6 /64 network; many devices may stand behind one.
type Limits struct {
	// MaxHandshakesPerAddress bounds the handshakes under way from one
	// address; 64 when zero. Further ones wait.
	MaxHandshakesPerAddress int
	// MaxUnfinished bounds the connections that wait for their handshake, are
	// in it, or were refused and have not gone yet; 4096 when zero.
	MaxUnfinished int
	// MaxConnections bounds all connections; 100,000 when zero.
	MaxConnections int
	// MaxConnectionsPerAddress bounds those of one address; 20,000 when zero.
	MaxConnectionsPerAddress int
}

// DefaultMaxHandshakes is ListenConfig.MaxHandshakes when zero.
const DefaultMaxHandshakes = 512

const (
	defaultMaxHandshakesPerAddress = 64
	defaultMaxUnfinished           = 4096
	defaultMaxConnections          = 100_000
	defaultMaxPerAddress           = 20_000
	defaultStalledAfter            = 5 * time.Second
)

// WithDefaults puts the defaults in place of zeros.
func (l Limits) WithDefaults() Limits {
	return Limits{
		MaxHandshakesPerAddress:  cmp.Or(l.MaxHandshakesPerAddress, defaultMaxHandshakesPerAddress),
		MaxUnfinished:            cmp.Or(l.MaxUnfinished, defaultMaxUnfinished),
		MaxConnections:           cmp.Or(l.MaxConnections, defaultMaxConnections),
		MaxConnectionsPerAddress: cmp.Or(l.MaxConnectionsPerAddress, defaultMaxPerAddress),
	}
}

// gateLimits are those of the UDP port. Clients above them get no answer and
// try again, so one address may well be held to its share.
func (c ListenConfig) gateLimits() gate.Limits {
	limits := c.Limits.WithDefaults()
	return gate.Limits{
		Handshakes:            cmp.Or(c.MaxHandshakes, DefaultMaxHandshakes),
		HandshakesPerAddress:  limits.MaxHandshakesPerAddress,
		Unfinished:            limits.MaxUnfinished,
		UnfinishedPerAddress:  max(limits.MaxUnfinished/2, 1),
		Connections:           limits.MaxConnections,
		ConnectionsPerAddress: limits.MaxConnectionsPerAddress,
		StalledAfter:          cmp.Or(c.StalledAfter, defaultStalledAfter),
		PatienceWhenFull:      gate.DefaultPatience,
	}
}

func refusedBy(err error) Refusal {
	if errors.Is(err, gate.ErrCrowded) {
		return RefusedCrowded
	}
	return RefusedFull
}

func orNobody(observer PortObserver) PortObserver {
	if observer == nil {
		return Nobody{}
	}
	return observer
}
