// Package gate bounds what peers may use of a port that is open to everybody:
// the connections there are, those among them that have not proved who they
// are, and the handshakes under way, in all and from one address. It knows
// addresses and numbers; the listeners of package coap, of its folder openssl and
// of HTTP ask it.
package gate

import (
	"container/list"
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// Why a peer has to wait or is not listened to.
var (
	// ErrFull: there are as many connections as there may be.
	ErrFull = errors.New("too many connections")
	// ErrCrowded: there are as many from this address.
	ErrCrowded = errors.New("too many connections from one address")
)

// DefaultPatience is a good Limits.PatienceWhenFull: a fleet behind one address
// has its turn long before.
const DefaultPatience = 30 * time.Second

// Limits are what a port may be used for at once. An address is an IPv4
// address or an IPv6 /64 network, the size that one customer is given. 0 means
// no limit, but for the handshakes.
type Limits struct {
	Handshakes            int           // under way
	HandshakesPerAddress  int           // likewise, of one address; further ones wait
	Unfinished            int           // connections whose handshake is not done
	UnfinishedPerAddress  int           // likewise, of one address
	Connections           int           // in all
	ConnectionsPerAddress int           // of one address
	OpenPerAddress        int           // of one address, unfinished ones not counted
	StalledAfter          time.Duration // a handshake keeps its place so long although others wait
	PatienceWhenFull      time.Duration // a connection may wait so long for its address's turn when there is no room; 0: for ever
}

// Gate counts. It is safe for concurrent use.
type Gate struct {
	limits     Limits
	handshakes *handshakes

	mu            sync.Mutex
	unfinished    int
	expected      int // of the unfinished: reserved for connections that have not come
	open          int
	neighborhoods map[netip.Prefix]*neighborhood
	changed       chan struct{} // closed when somebody leaves; nil while nobody waits
	waiting       *list.List    // of *waiter, those who wait for their address's turn, the longest first
}

// neighborhood is an address with peers.
type neighborhood struct {
	peers      int
	unfinished int
	handshakes chan struct{} // one element for each under way
}

// New makes a Gate with nobody inside.
func New(limits Limits) *Gate {
	return &Gate{
		limits:        limits,
		handshakes:    newHandshakes(limits.Handshakes, limits.StalledAfter),
		neighborhoods: map[netip.Prefix]*neighborhood{},
		waiting:       list.New(),
	}
}

// Count tells how many connections are not finished and how many are open. What
// is reserved for one that has not come is no connection yet.
func (g *Gate) Count() (unfinished, open int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unfinished - g.expected, g.open
}

// Visit is one connection's stay. Its methods are called by one goroutine at
// a time.
type Visit struct {
	gate  *Gate
	from  netip.Prefix
	home  *neighborhood // nil: not known yet
	place *place        // of the handshake under way
	open  bool
	left  bool
}

// Enter lets a connection in, or returns ErrFull or ErrCrowded. It must leave.
func (g *Gate) Enter(from netip.Addr) (*Visit, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.why(Neighborhood(from)); err != nil {
		return nil, err
	}
	v := &Visit{gate: g}
	v.settle(Neighborhood(from))
	g.unfinished++
	return v, nil
}

// Why tells why a connection from an address would not be let in now: nil if
// it would be.
func (g *Gate) Why(from netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why(Neighborhood(from))
}

func (g *Gate) why(from netip.Prefix) error {
	home := g.neighborhoods[from]
	switch {
	case g.isFull():
		return ErrFull
	case home != nil && (reached(home.peers, g.limits.ConnectionsPerAddress) || reached(home.unfinished, g.limits.UnfinishedPerAddress)):
		return ErrCrowded
	default:
		return nil
	}
}

// Reserve waits until there is room for a connection that is not known yet,
// and takes it; it must leave. shed is called each time there is none: it may
// make room and returns after what time it should be called again.
func (g *Gate) Reserve(ctx context.Context, shed func() time.Duration) (*Visit, error) {
	for {
		v, changed := g.take()
		if v != nil {
			return v, nil
		}
		again := time.NewTimer(shed())
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, ctx.Err()
		}
		again.Stop()
	}
}

// take takes room for a connection, or returns a channel that is closed when
// there may be some.
func (g *Gate) take() (v *Visit, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.isFull() {
		g.unfinished++
		g.expected++
		return &Visit{gate: g}, nil
	}
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return nil, g.changed
}

// ComesFrom says where a connection that was reserved comes from. Its address
// is held to its share of the handshakes, and to no other limit.
func (v *Visit) ComesFrom(from netip.Addr) {
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	v.gate.expected--
	v.settle(Neighborhood(from))
}

// isFull has those give up who have waited too long behind others of their own
// address: one address must not hold all the room.
func (g *Gate) isFull() bool {
	full := reached(g.unfinished, g.limits.Unfinished) || reached(g.unfinished+g.open, g.limits.Connections)
	for g.limits.PatienceWhenFull > 0 && full && g.waiting.Len() > 0 {
		longest := g.waiting.Front()
		if time.Since(longest.Value.(*waiter).since) < g.limits.PatienceWhenFull {
			break
		}
		longest.Value.(*waiter).giveUp()
		g.waiting.Remove(longest)
	}
	return full
}

// waiter is a connection that waits for its address's turn.
type waiter struct {
	since  time.Time
	giveUp context.CancelFunc
}

// queue counts a waiter until it is done.
func (g *Gate) queue(giveUp context.CancelFunc) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	element := g.waiting.PushBack(&waiter{time.Now(), giveUp})
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting.Remove(element)
		giveUp()
	}
}

func reached(count, limit int) bool { return limit > 0 && count >= limit }

// settle counts a visit at its address.
func (v *Visit) settle(from netip.Prefix) {
	home := v.gate.neighborhoods[from]
	if home == nil {
		home = &neighborhood{handshakes: make(chan struct{}, v.gate.limits.HandshakesPerAddress)}
		v.gate.neighborhoods[from] = home
	}
	home.peers++
	home.unfinished++
	v.from, v.home = from, home
}

// Begin waits until the handshake may begin. It returns ctx's error if ctx ends
// first, and ErrFull if it has waited too long for its address's turn while
// there was no room for others. It must end. The context it returns ends when
// the handshake is given up because others wait.
func (v *Visit) Begin(ctx context.Context) (context.Context, error) {
	waiting, giveUp := context.WithCancel(ctx)
	done := v.gate.queue(giveUp)
	select {
	case v.home.handshakes <- struct{}{}:
		done()
	case <-waiting.Done():
		done()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, ErrFull
	}
	shaking, place, err := v.gate.handshakes.begin(ctx)
	if err != nil {
		<-v.home.handshakes
		return nil, err
	}
	v.place = place
	return shaking, nil
}

// End gives the handshake's place back; it may be called again.
func (v *Visit) End() {
	if v.place == nil {
		return
	}
	v.gate.handshakes.end(v.place)
	v.place = nil
	<-v.home.handshakes
}

// Stay says that the handshake is done: the connection is open now. It returns
// ErrCrowded, and changes nothing, if the address has as many open ones as it
// may have.
func (v *Visit) Stay() error {
	g := v.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if v.open || v.left {
		return nil
	}
	if reached(v.home.peers-v.home.unfinished, g.limits.OpenPerAddress) {
		return ErrCrowded
	}
	v.open = true
	g.unfinished--
	g.open++
	v.home.unfinished--
	g.tell()
	return nil
}

// Leave says that the connection is gone; it may be called again.
func (v *Visit) Leave() {
	g := v.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if v.left {
		return
	}
	v.left = true
	if v.open {
		g.open--
	} else {
		g.unfinished--
	}
	v.moveOut()
	g.tell()
}

// moveOut takes a visit that has left from its address's count.
func (v *Visit) moveOut() {
	if v.home == nil {
		v.gate.expected--
		return
	}
	v.home.peers--
	if !v.open {
		v.home.unfinished--
	}
	if v.home.peers == 0 {
		delete(v.gate.neighborhoods, v.from)
	}
}

// tell wakes those who wait for room.
func (g *Gate) tell() {
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

// networkBits is the part of an IPv6 address that names a network (RFC 4291
// §2.5.1).
const networkBits = 64

// Neighborhood is what counts as one address.
func Neighborhood(address netip.Addr) netip.Prefix {
	ip := address.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = networkBits
	}
	prefix, _ := ip.Prefix(bits) // bits fit
	return prefix
}
