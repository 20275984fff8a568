package openssl

import (
	"context"
	"errors"
	"net"
	"testing"
)

func from(text string) net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(text), Port: 1}
}

func arrive(t *testing.T, g *gate, address string) *visit {
	t.Helper()
	v, err := g.arrive(from(address))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mustWait fails unless a visit's handshake cannot begin now.
func mustWait(t *testing.T, v *visit) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.begin(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("began: %v", err)
	}
}

// mustBegin tries until the handshake begins.
func mustBegin(t *testing.T, v *visit) {
	t.Helper()
	if err := v.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOneAddressLeavesHandshakesToOthers(t *testing.T) {
	g := newGate(3, 2, 100)
	first, second, third := arrive(t, g, "192.0.2.1"), arrive(t, g, "192.0.2.1"), arrive(t, g, "192.0.2.1")
	mustBegin(t, first)
	mustBegin(t, second)
	mustWait(t, third)
	other := arrive(t, g, "192.0.2.2")
	mustBegin(t, other)
	yetAnother := arrive(t, g, "192.0.2.3")
	mustWait(t, yetAnother)
	first.end()
	mustBegin(t, yetAnother)
	mustWait(t, third) // all three are taken
	other.end()
	mustBegin(t, third)
}

func TestAddressFarAboveItsShareIsTurnedAway(t *testing.T) {
	g := newGate(10, 10, 2)
	first := arrive(t, g, "192.0.2.1")
	arrive(t, g, "192.0.2.1")
	if _, err := g.arrive(from("192.0.2.1")); !errors.Is(err, errCrowded) {
		t.Fatalf("got %v", err)
	}
	arrive(t, g, "192.0.2.2")
	first.leave()
	arrive(t, g, "192.0.2.1")
}

func TestNeighborsInOneNetworkShareTheirLimit(t *testing.T) {
	for name, c := range map[string]struct {
		one, other string
		shared     bool
	}{
		"the same address":     {"192.0.2.1", "192.0.2.1", true},
		"IPv4 as IPv6":         {"192.0.2.1", "::ffff:192.0.2.1", true},
		"next IPv4 address":    {"192.0.2.1", "192.0.2.2", false},
		"one IPv6 network":     {"2001:db8::1", "2001:db8::ffff:1", true},
		"another IPv6 network": {"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		if shared := prefixOf(from(c.one)) == prefixOf(from(c.other)); shared != c.shared {
			t.Errorf("%s: shared %v", name, shared)
		}
	}
}

func TestGateForgetsWhoLeft(t *testing.T) {
	g := newGate(10, 10, 10)
	for range 3 {
		v := arrive(t, g, "2001:db8::1")
		mustBegin(t, v)
		v.end()
		v.leave()
	}
	if len(g.neighborhoods) != 0 {
		t.Errorf("remembers %v", g.neighborhoods)
	}
}
