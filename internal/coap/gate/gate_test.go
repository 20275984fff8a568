package gate

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newGate(change func(*Limits)) *Gate {
	limits := Limits{Handshakes: 100, HandshakesPerAddress: 100, StalledAfter: time.Hour}
	change(&limits)
	return New(limits)
}

func enter(t *testing.T, g *Gate, address string) *Visit {
	t.Helper()
	v, err := g.Enter(netip.MustParseAddr(address))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mustWait fails unless a visit's handshake cannot begin now.
func mustWait(t *testing.T, v *Visit) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Begin(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("began: %v", err)
	}
}

// mustBegin waits until the handshake begins.
func mustBegin(t *testing.T, v *Visit) context.Context {
	t.Helper()
	shaking, err := v.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return shaking
}

func TestOneAddressLeavesHandshakesToOthers(t *testing.T) {
	g := newGate(func(l *Limits) { l.Handshakes, l.HandshakesPerAddress = 3, 2 })
	first, second, third := enter(t, g, "192.0.2.1"), enter(t, g, "192.0.2.1"), enter(t, g, "192.0.2.1")
	mustBegin(t, first)
	mustBegin(t, second)
	mustWait(t, third)
	other := enter(t, g, "192.0.2.2")
	mustBegin(t, other)
	yetAnother := enter(t, g, "192.0.2.3")
	mustWait(t, yetAnother)
	first.End()
	mustBegin(t, yetAnother)
	mustWait(t, third) // all three are taken
	other.End()
	mustBegin(t, third)
}

func TestHandshakesThatAreNotStalledAreNotGivenUp(t *testing.T) {
	g := newGate(func(l *Limits) { l.Handshakes = 1 })
	first, second := enter(t, g, "192.0.2.1"), enter(t, g, "192.0.2.2")
	shaking := mustBegin(t, first)
	mustWait(t, second)
	if shaking.Err() != nil {
		t.Error("the first was given up")
	}
	first.End()
	mustBegin(t, second)
}

func TestAStalledHandshakeMakesRoom(t *testing.T) {
	g := newGate(func(l *Limits) { l.Handshakes, l.StalledAfter = 1, time.Millisecond })
	first, second := enter(t, g, "192.0.2.1"), enter(t, g, "192.0.2.2")
	shaking := mustBegin(t, first)
	mustBegin(t, second)
	<-shaking.Done()
	first.End() // changes nothing any more
	mustBegin(t, enter(t, g, "192.0.2.3"))
}

func TestEachLimitHoldsAndEndsWhenSomebodyLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Limits)
		second string
		open   bool // connections that stay count, too
		err    error
	}{
		"unfinished":            {func(l *Limits) { l.Unfinished = 1 }, "192.0.2.2", false, ErrFull},
		"unfinished of one":     {func(l *Limits) { l.UnfinishedPerAddress = 1 }, "192.0.2.1", false, ErrCrowded},
		"connections":           {func(l *Limits) { l.Connections = 1 }, "192.0.2.2", true, ErrFull},
		"connections of one":    {func(l *Limits) { l.ConnectionsPerAddress = 1 }, "192.0.2.1", true, ErrCrowded},
		"of one IPv6 network":   {func(l *Limits) { l.ConnectionsPerAddress = 1 }, "::ffff:192.0.2.1", true, ErrCrowded},
		"of unfinished in vain": {func(l *Limits) { l.Unfinished = 1 }, "192.0.2.1", false, ErrFull},
	} {
		g := newGate(c.change)
		first := enter(t, g, "192.0.2.1")
		second := netip.MustParseAddr(c.second)
		if _, err := g.Enter(second); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		if err := first.Stay(); err != nil {
			t.Fatal(err)
		}
		if v, err := g.Enter(second); c.open && !errors.Is(err, c.err) || !c.open && err != nil {
			t.Errorf("%s, with an open connection: %v", name, err)
		} else if v != nil {
			v.Leave()
		}
		first.Leave()
		first.Leave()
		if v, err := g.Enter(second); err != nil {
			t.Errorf("%s, when it has left: %v", name, err)
		} else {
			v.Leave()
		}
		if unfinished, open := g.Count(); unfinished != 0 || open != 0 || len(g.neighborhoods) != 0 {
			t.Errorf("%s: remembers %d, %d, %v", name, unfinished, open, g.neighborhoods)
		}
	}
}

func TestRoomIsReservedBeforeAnybodyIsKnown(t *testing.T) {
	g := newGate(func(l *Limits) { l.Unfinished, l.OpenPerAddress = 1, 1 })
	noRoom := func() time.Duration { return time.Hour }
	first, err := g.Reserve(t.Context(), noRoom)
	if err != nil {
		t.Fatal(err)
	}
	first.ComesFrom(netip.MustParseAddr("192.0.2.1"))
	sheds := 0
	second, err := g.Reserve(t.Context(), func() time.Duration {
		if sheds++; sheds == 2 {
			if err := first.Stay(); err != nil {
				t.Error(err)
			}
		}
		return time.Millisecond
	})
	if err != nil || sheds != 2 {
		t.Fatalf("after %d calls: %v", sheds, err)
	}
	second.ComesFrom(netip.MustParseAddr("192.0.2.1"))
	if err := second.Stay(); !errors.Is(err, ErrCrowded) {
		t.Errorf("a second open connection of the address: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Reserve(ctx, noRoom); !errors.Is(err, context.Canceled) {
		t.Errorf("without room: %v", err)
	}
	first.Leave()
	if err := second.Stay(); err != nil {
		t.Errorf("when the first has left: %v", err)
	}
	second.Leave()
	if unfinished, open := g.Count(); unfinished != 0 || open != 0 || len(g.neighborhoods) != 0 {
		t.Errorf("remembers %d, %d, %v", unfinished, open, g.neighborhoods)
	}
}

func TestWhatIsReservedIsNotCountedBeforeItComes(t *testing.T) {
	g := newGate(func(l *Limits) { l.Unfinished = 2 })
	reserve := func() *Visit {
		v, err := g.Reserve(t.Context(), func() time.Duration { return time.Hour })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := func(when string, unfinished int) {
		t.Helper()
		if got, _ := g.Count(); got != unfinished {
			t.Errorf("%s: counts %d unfinished connections, want %d", when, got, unfinished)
		}
	}
	comes, never := reserve(), reserve()
	want("reserved", 0)
	comes.ComesFrom(netip.MustParseAddr("192.0.2.1"))
	want("one has come", 1)
	never.Leave()
	want("the other never came", 1)
	if err := comes.Stay(); err != nil {
		t.Fatal(err)
	}
	want("it is open", 0)
	comes.Leave()
	want("it has left", 0)
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
		one, other := netip.MustParseAddr(c.one), netip.MustParseAddr(c.other)
		if shared := Neighborhood(one) == Neighborhood(other); shared != c.shared {
			t.Errorf("%s: shared %v", name, shared)
		}
	}
}

func TestOneAddressDoesNotKeepEverybodyElseOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(func(l *Limits) { l.HandshakesPerAddress, l.Unfinished, l.PatienceWhenFull = 1, 3, DefaultPatience })
		other := netip.MustParseAddr("192.0.2.2")
		shaking := mustBegin(t, enter(t, g, "192.0.2.1")) // and never goes on
		gone := make(chan error, 2)
		for range 2 {
			v := enter(t, g, "192.0.2.1")
			go func() {
				_, err := v.Begin(t.Context())
				v.Leave()
				gone <- err
			}()
		}
		time.Sleep(DefaultPatience - time.Second)
		err := g.Why(other)
		if synctest.Wait(); !errors.Is(err, ErrFull) || len(gone) != 0 {
			t.Errorf("a moment before: %v, %d gone", err, len(gone))
		}
		time.Sleep(time.Second)
		if err := g.Why(other); !errors.Is(err, ErrFull) {
			t.Errorf("before they have left: %v", err)
		}
		if synctest.Wait(); g.Why(other) != nil || shaking.Err() != nil {
			t.Errorf("another address: %v; the handshake under way: %v", g.Why(other), shaking.Err())
		}
		for range 2 {
			if err := <-gone; !errors.Is(err, ErrFull) {
				t.Errorf("one that waited ends with %v", err)
			}
		}
		if g.waiting.Len() != 0 {
			t.Errorf("%d are remembered", g.waiting.Len())
		}
	})
}

func TestPatienceIsEndlessWhileThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(func(l *Limits) { l.HandshakesPerAddress, l.Unfinished, l.PatienceWhenFull = 1, 3, DefaultPatience })
		first, second := enter(t, g, "192.0.2.1"), enter(t, g, "192.0.2.1")
		mustBegin(t, first)
		time.AfterFunc(10*DefaultPatience, first.End)
		time.AfterFunc(5*DefaultPatience, func() { _ = g.Why(netip.MustParseAddr("192.0.2.2")) })
		mustBegin(t, second)
	})
}

// Original clients throw their credentials away when their connection is
// closed: behind one address, too, each must have its turn.
func TestAFleetBehindOneAddressIsServedWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(func(l *Limits) { l.HandshakesPerAddress, l.Unfinished, l.PatienceWhenFull = 2, 40, DefaultPatience })
		var served sync.WaitGroup
		for i := range 1000 {
			v, err := g.Reserve(t.Context(), func() time.Duration { return time.Second })
			if err != nil {
				t.Fatal(err)
			}
			served.Go(func() {
				v.ComesFrom(netip.MustParseAddr("192.0.2.1"))
				if _, err := v.Begin(t.Context()); err != nil {
					t.Errorf("device %d: %v", i, err)
					v.Leave()
					return
				}
				time.Sleep(time.Second)
				v.End()
				if err := v.Stay(); err != nil {
					t.Error(err)
				}
			})
		}
		served.Wait()
		if unfinished, open := g.Count(); unfinished != 0 || open != 1000 {
			t.Errorf("%d are unfinished, %d open", unfinished, open)
		}
	})
}
