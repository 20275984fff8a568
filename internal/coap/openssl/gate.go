package openssl

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
)

var errCrowded = errors.New("too many unfinished connections from one address")

// gate bounds what peers that have not proved who they are may use: the
// handshakes under way, in all and from one address, and the connections of
// one address that wait for their handshake or have been refused. Many devices
// may stand behind one address, so those above its share of handshakes wait;
// only far above it are connections closed.
type gate struct {
	handshakes    chan struct{} // one element for each under way
	perAddress    int           // handshakes at a time
	mostVisitors  int           // of one address
	mu            sync.Mutex
	neighborhoods map[netip.Prefix]*neighborhood
}

// neighborhood is an IPv4 address, or an IPv6 network of the size that one
// customer is given.
type neighborhood struct {
	visitors   int
	handshakes chan struct{} // one element for each under way
}

func newGate(handshakes, perAddress, mostVisitors int) *gate {
	return &gate{
		handshakes:    make(chan struct{}, handshakes),
		perAddress:    perAddress,
		mostVisitors:  mostVisitors,
		neighborhoods: map[netip.Prefix]*neighborhood{},
	}
}

// visit is one connection's stay at the gate.
type visit struct {
	gate *gate
	from netip.Prefix
	home *neighborhood
}

// arrive lets a connection in, or returns errCrowded. It must leave.
func (g *gate) arrive(address net.Addr) (*visit, error) {
	from := prefixOf(address)
	g.mu.Lock()
	defer g.mu.Unlock()
	home := g.neighborhoods[from]
	if home == nil {
		home = &neighborhood{handshakes: make(chan struct{}, g.perAddress)}
		g.neighborhoods[from] = home
	}
	if home.visitors >= g.mostVisitors {
		return nil, errCrowded
	}
	home.visitors++
	return &visit{g, from, home}, nil
}

// begin waits until the handshake may begin, or returns ctx's error. It must
// end.
func (v *visit) begin(ctx context.Context) error {
	select {
	case v.home.handshakes <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case v.gate.handshakes <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-v.home.handshakes
		return ctx.Err()
	}
}

func (v *visit) end() {
	<-v.gate.handshakes
	<-v.home.handshakes
}

func (v *visit) leave() {
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	v.home.visitors--
	if v.home.visitors == 0 {
		delete(v.gate.neighborhoods, v.from)
	}
}

// networkBits is the part of an IPv6 address that names a network (RFC 4291
// §2.5.1).
const networkBits = 64

func prefixOf(address net.Addr) netip.Prefix {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = networkBits
	}
	prefix, _ := ip.Prefix(bits) // bits fit
	return prefix
}
