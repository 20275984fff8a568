package restapi

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What an address may get wrong: a burst, then one key a second.
const (
	wrongKeyBurst = 30
	wrongKeyRate  = rate.Limit(1)
)

// maxWrongAddresses is how many addresses are remembered.
const maxWrongAddresses = 10_000

// wrongKeys slows down whoever tries keys. It counts what an address gets
// wrong, and nothing else: a right key is a right key wherever it comes from.
type wrongKeys struct {
	mu        sync.Mutex
	addresses map[netip.Prefix]*rate.Limiter
}

func newWrongKeys() *wrongKeys { return &wrongKeys{addresses: map[netip.Prefix]*rate.Limiter{}} }

// failed notes a wrong key and returns how long the address should wait before
// the next; 0 as long as it had not too many.
func (g *wrongKeys) failed(from netip.Prefix, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	limiter := g.addresses[from]
	if limiter == nil {
		g.makeRoom()
		limiter = rate.NewLimiter(wrongKeyRate, wrongKeyBurst)
		g.addresses[from] = limiter
	}
	if limiter.AllowN(now, 1) {
		return 0
	}
	missing := 1 - limiter.TokensAt(now)
	return time.Duration(missing / float64(wrongKeyRate) * float64(time.Second))
}

// makeRoom forgets any one address if there are too many.
func (g *wrongKeys) makeRoom() {
	for address := range g.addresses {
		if len(g.addresses) >= maxWrongAddresses {
			delete(g.addresses, address)
		}
		return
	}
}

// addressOf is where a request comes from, as one who tries keys: an IPv4
// address, or the IPv6 network that a customer has for himself.
func addressOf(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	address = address.Unmap().WithZone("")
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits)
	return prefix
}
