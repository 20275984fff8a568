// Package discovery finds devices on the local networks by multicast DNS
// (RFC 6762, RFC 6763): services of the type _ssh._tcp whose TXT record holds
// "mblos". It also makes them known: a sandbox's on loopback only (Announce), a
// board on all its networks (AnnounceBoard). It needs no daemon and no
// privileges, and works beside avahi-daemon. What it finds is hearsay: nothing in
// mDNS proves who answered. mbl-cli, mbl-device and mbl-sandbox call it.
package discovery

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	serviceName = "_ssh._tcp.local."
	deviceKey   = "mblos" // the TXT key that marks a device
)

// Config is what Browse needs.
type Config struct {
	Log *slog.Logger
}

// firstWait is the time between the first two questions; each next one is
// twice as long (RFC 6762 section 5.2).
const firstWait = time.Second

// Browse looks for devices until ctx ends, then closes the channel. Each
// device comes as soon as everything about it is known, and again whenever
// that changes; from each link by itself, for one name on two links may be two
// devices or one. Whoever calls reads the channel until it is closed. The error
// says why no network could be listened to.
func Browse(ctx context.Context, cfg Config) (<-chan Device, error) {
	links, err := openLinks(cfg.Log, isUsable)
	if err != nil {
		return nil, err
	}
	b := &browser{links: links, log: cfg.Log, catalog: newCatalog(), told: map[sighting]Device{}, devices: make(chan Device)}
	go b.run(ctx)
	return b.devices, nil
}

type browser struct {
	links   *links
	log     *slog.Logger
	catalog *catalog
	told    map[sighting]Device // what was last sent
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
			for _, link := range b.links.joined() {
				b.ask(link, true)
			}
			next.Reset(wait)
			wait *= 2
		case p := <-b.links.packets:
			b.catalog.learn(p.message, p.link, time.Now())
			b.ask(p.link.Index, false)
			if !b.tell(ctx) {
				return
			}
		}
	}
}

func (b *browser) ask(link int, regular bool) {
	if query := b.catalog.questions(link, time.Now(), regular); query != nil {
		b.links.send(link, query)
	}
}

// tell sends what is new or has changed; false when ctx has ended.
func (b *browser) tell(ctx context.Context) bool {
	for _, device := range b.catalog.devices(b.told) {
		if device.Equal(b.told[device.sighting()]) {
			continue
		}
		b.told[device.sighting()] = device
		select {
		case b.devices <- device:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
