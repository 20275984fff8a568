// Package discovery finds devices on the local networks by multicast DNS
// (RFC 6762, RFC 6763): services of the type _ssh._tcp whose TXT record holds
// "mblos". It also announces the sandbox's devices, on loopback only. It needs
// no daemon and no privileges, and works beside avahi-daemon. What it finds is
// hearsay: nothing in mDNS proves who answered. mbl-cli and mbl-sandbox call it.
package discovery

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

const (
	serviceName = "_ssh._tcp.local."
	deviceKey   = "mblos" // the TXT key that marks a device
)

// Device is one announced service instance.
type Device struct {
	Name string // the instance's name, as people read it
	Host string // the host name it runs on, such as "board.local"
	// Addresses are all its addresses, the easiest to reach first; link-local
	// IPv6 addresses carry their zone. None: the device said goodbye.
	Addresses []netip.Addr
	Port      uint16
}

// Equal tells whether nothing differs between two reports of a device.
func (d Device) Equal(other Device) bool {
	return d.Name == other.Name && d.Host == other.Host && d.Port == other.Port &&
		slices.Equal(d.Addresses, other.Addresses)
}

// Config is what Browse needs.
type Config struct {
	Log *slog.Logger
}

// firstWait is the time between the first two questions; each next one is
// twice as long (RFC 6762 section 5.2).
const firstWait = time.Second

// Browse looks for devices until ctx ends, then closes the channel. Each
// device comes as soon as everything about it is known, and again whenever
// that changes. Whoever calls reads the channel until it is closed. The error
// says why no network could be listened to.
func Browse(ctx context.Context, cfg Config) (<-chan Device, error) {
	links, err := openLinks(cfg.Log, isUsable)
	if err != nil {
		return nil, err
	}
	b := &browser{links: links, log: cfg.Log, catalog: newCatalog(), told: map[string]Device{}, devices: make(chan Device)}
	go b.run(ctx)
	return b.devices, nil
}

type browser struct {
	links   *links
	log     *slog.Logger
	catalog *catalog
	told    map[string]Device // what was last sent, by name
	devices chan Device
}

func (b *browser) run(ctx context.Context) {
	defer close(b.devices)
	defer b.links.close()
	wait := firstWait
	// Many may ask at the same moment: RFC 6762 section 5.2 wants 20-120 ms.
	next := time.NewTimer(20*time.Millisecond + rand.N(100*time.Millisecond))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			b.ask(b.catalog.questions(time.Now(), true))
			next.Reset(wait)
			wait *= 2
		case p := <-b.links.packets:
			b.catalog.learn(p.message, p.link, time.Now())
			b.ask(b.catalog.questions(time.Now(), false))
			if !b.tell(ctx) {
				return
			}
		}
	}
}

func (b *browser) ask(query *dns.Msg) {
	if query == nil {
		return
	}
	b.links.sendAll(query)
}

// tell sends what is new or has changed; false when ctx has ended.
func (b *browser) tell(ctx context.Context) bool {
	for _, device := range b.catalog.devices(b.told) {
		if device.Equal(b.told[device.Name]) {
			continue
		}
		b.told[device.Name] = device
		select {
		case b.devices <- device:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
