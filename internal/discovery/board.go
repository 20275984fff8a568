package discovery

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Board is what AnnounceBoard makes known.
type Board struct {
	Name    string   // what it would like to be called
	Host    string   // its host name, as it would like to have it; without a domain
	Port    uint16   // of its SSH server
	Texts   []string // further TXT entries
	Changed <-chan struct{}
	// Changed tells that the network may have changed; nil: it is looked at
	// from time to time only.
	Named func(name, host string) // told the names it holds, and when they change; may be nil
	Log   *slog.Logger
}

const (
	lookAtLinks = 15 * time.Second
	portWait    = 5 * time.Second
	// yieldTime is how long another responder has to come up before it is
	// looked at again.
	yieldTime = 30 * time.Second
)

// errOther: another program of this machine answers for it.
var errOther = errors.New("another mDNS responder runs on this machine")

// AnnounceBoard makes a board known on all its networks until ctx ends, as
// RFC 6762 wants it: it probes for names nobody else has, announces and
// answers, follows the links as they come and go, and says goodbye. Where
// another responder (avahi-daemon, systemd-resolved) has the port, it is silent,
// and looks again from time to time; where one comes up later, it gives way.
func AnnounceBoard(ctx context.Context, b Board) error {
	silent := false
	for ctx.Err() == nil {
		if portTaken() {
			if !silent {
				b.Log.Warn("not announced: another program has the port of multicast DNS, as avahi-daemon does", "port", port)
			}
			silent = true
			pause(ctx, portWait)
			continue
		}
		silent = false
		if err := b.speak(ctx); errors.Is(err, errOther) {
			b.Log.Warn("not announced any more", "reason", err)
			pause(ctx, yieldTime)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// speak announces until ctx ends or another responder is heard.
func (b Board) speak(ctx context.Context) error {
	l, problem := openSockets(b.Log)
	defer l.close()
	if l.v4 == nil && l.v6 == nil {
		return whyNot(problem)
	}
	h := newHerald(b)
	defer func() { send(l, h.take()) }()
	look := time.NewTicker(lookAtLinks)
	defer look.Stop()
	own := b.follow(l, h)
	var known names
	for {
		send(l, h.take())
		if now, ok := h.known(); ok && now != known {
			known = now
			b.tell(known)
		}
		select {
		case <-ctx.Done():
			h.goodbye(false)
			return nil
		case <-alarm(h.next()):
			h.tick(time.Now())
		case <-look.C:
			own = b.follow(l, h)
		case <-b.Changed:
			own = b.follow(l, h)
		case p := <-l.packets:
			if !p.own && isFrom(own, p) && speaksFor(p) {
				h.goodbye(true)
				return errOther
			}
			if !p.own && !isFrom(own, p) {
				h.receive(p, time.Now())
			}
		}
	}
}

func (b Board) tell(known names) {
	b.Log.Info("announced", "name", known.instance, "host", known.host+".local")
	if b.Named != nil {
		b.Named(known.instance, known.host)
	}
}

func send(l *links, messages []outgoing) {
	for _, m := range messages {
		if m.to != nil {
			l.sendTo(m.message, m.to)
		} else {
			l.send(m.link, m.message)
		}
	}
}

// alarm is nil, which never comes, for the zero time.
func alarm(at time.Time) <-chan time.Time {
	if at.IsZero() {
		return nil
	}
	return time.After(time.Until(at))
}

// follow brings the herald up to date with the links, and returns all the
// addresses this machine has.
func (b Board) follow(l *links, h *herald) []netip.Addr {
	there, err := l.update(isNetwork)
	if err != nil {
		b.Log.Warn("cannot follow the network", "error", err)
		return nil
	}
	var now []linkNow
	var all []netip.Addr
	for _, link := range there {
		addresses := addressesOf(link)
		now = append(now, linkNow{link, addresses})
		all = append(all, addresses...)
	}
	h.setLinks(now, time.Now())
	return all
}

// addressesOf are the addresses that others on the link can use.
func addressesOf(link *net.Interface) []netip.Addr {
	found, err := link.Addrs()
	if err != nil {
		return nil // it has just gone
	}
	var addresses []netip.Addr
	for _, one := range found {
		prefix, err := netip.ParsePrefix(one.String())
		if err == nil && !prefix.Addr().IsLoopback() && !prefix.Addr().IsUnspecified() {
			addresses = append(addresses, prefix.Addr().Unmap())
		}
	}
	return sortedAddresses(slices.Compact(addresses))
}

func isFrom(own []netip.Addr, p packet) bool {
	from, ok := netip.AddrFromSlice(p.from.IP)
	return ok && slices.Contains(own, from.Unmap().WithZone(""))
}

// speaksFor: it is of a program that answers for a machine, or is about to; no
// mere question.
func speaksFor(p packet) bool {
	return p.message.Response && len(p.message.Answer) > 0 || !p.message.Response && len(p.message.Ns) > 0
}
