package discovery

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// A board whose names are always somebody's waits longer between its attempts
// (RFC 6762 section 8.1).
const (
	manyConflicts  = 15
	conflictWindow = 10 * time.Second
	conflictPause  = 5 * time.Second
)

// herald makes a board known: it holds its names on every link, and answers.
// It is a pure value: links, messages and the time in, messages out.
type herald struct {
	names     names
	port      uint16
	texts     []string
	stations  map[int]*station // by the link's index
	conflicts []time.Time      // the last of them
	slow      bool             // too many; until names are found
	out       []outgoing
}

// outgoing is a message to a link, or to somebody on it.
type outgoing struct {
	link    int
	to      *net.UDPAddr // nil: everybody
	message *dns.Msg
}

// linkNow is a link with the board's addresses there.
type linkNow struct {
	link      *net.Interface
	addresses []netip.Addr
}

func newHerald(b Board) *herald {
	return &herald{
		names: names{shortened(b.Name, maxLabel), hostLabel(b.Host)},
		port:  b.Port, texts: b.Texts, stations: map[int]*station{},
	}
}

func (h *herald) responderFor(addresses []netip.Addr) *responder {
	return newResponder(Announcement{
		Device: Device{Name: h.names.instance, Host: h.names.host, Port: h.port, Addresses: addresses},
		Texts:  h.texts,
	})
}

// setLinks takes in which links there are, and with what addresses.
func (h *herald) setLinks(there []linkNow, now time.Time) {
	gone := maps.Clone(h.stations)
	for _, l := range there {
		if len(l.addresses) == 0 {
			continue
		}
		delete(gone, l.link.Index)
		at := h.stations[l.link.Index]
		switch {
		case at == nil:
			at = &station{link: l.link, addresses: l.addresses}
			h.stations[l.link.Index] = at
			at.begin(h.responderFor(l.addresses), now)
		case !slices.Equal(at.addresses, l.addresses):
			h.moved(at, l.addresses, now)
		}
	}
	for index := range gone {
		delete(h.stations, index)
	}
}

// moved says a board's new addresses; those that are gone fall with them, for
// there are no others of the name (RFC 6762 section 10.2).
func (h *herald) moved(at *station, addresses []netip.Addr, now time.Time) {
	held := at.holdsNames()
	at.addresses, at.responder = addresses, h.responderFor(addresses)
	if held {
		at.announced, at.due = 0, now
	}
}

// receive takes in a message of another machine.
func (h *herald) receive(p packet, now time.Time) {
	at := h.stations[p.link.Index]
	if at == nil {
		return
	}
	if p.message.Response {
		if p.from.Port == port { // else it is not of mDNS: RFC 6762 section 11
			h.checkNames(at, slices.Concat(p.message.Answer, p.message.Extra), now)
		}
		return
	}
	if len(p.message.Ns) > 0 && !at.holdsNames() {
		h.draw(at, p.message.Ns, now)
	}
	if at.holdsNames() {
		h.answer(at, p, now)
	}
}

// checkNames looks for somebody else who has one of the names. Whoever has it
// while it is probed for keeps it; after that both look again.
func (h *herald) checkNames(at *station, records []dns.RR, now time.Time) {
	instance, host := at.contradicted(records, at.instance), at.contradicted(records, at.responder.host)
	if !instance && !host {
		return
	}
	if !at.holdsNames() {
		if instance {
			h.names.instance = nextInstance(h.names.instance)
		}
		if host {
			h.names.host = nextHost(h.names.host)
		}
	}
	h.begin(now)
}

// contradicted: somebody says something else of the name.
func (s *station) contradicted(records []dns.RR, name string) bool {
	return slices.ContainsFunc(claims(records, name), func(theirs dns.RR) bool {
		if theirs.Header().Ttl == 0 {
			return false
		}
		sameType := false
		for _, ours := range claims(s.records, name) {
			if sameRecord(ours, theirs) {
				return false
			}
			sameType = sameType || ours.Header().Rrtype == theirs.Header().Rrtype
		}
		return sameType || !s.holdsNames()
	})
}

// begin probes for the names on every link, later if that did not help lately.
func (h *herald) begin(now time.Time) {
	h.conflicts = append(h.conflicts, now)
	if len(h.conflicts) > manyConflicts {
		h.conflicts = h.conflicts[1:]
	}
	if len(h.conflicts) == manyConflicts && now.Sub(h.conflicts[0]) < conflictWindow {
		h.slow = true
	}
	from := now
	if h.slow {
		from = now.Add(conflictPause)
	}
	for _, at := range h.stations {
		at.begin(h.responderFor(at.addresses), from)
	}
}

// draw settles who gets a name that two want at the same moment: the loser
// looks again in a second, and finds it taken then.
func (h *herald) draw(at *station, theirs []dns.RR, now time.Time) {
	for _, name := range []string{at.instance, at.responder.host} {
		wanted := claims(theirs, name)
		if len(wanted) == 0 {
			continue
		}
		if compareClaims(claims(at.probe().Ns, name), wanted) < 0 {
			at.probed, at.announced, at.due = 0, 0, now.Add(lostTheDraw)
			return
		}
	}
}

// answer answers a query: everybody in a moment, or the asker at once.
func (h *herald) answer(at *station, p packet, now time.Time) {
	switch {
	case p.from.Port != port: // an ordinary DNS client: RFC 6762 section 6.7
		if message := at.reply(p.message); message != nil {
			h.out = append(h.out, outgoing{at.link.Index, p.from, forLegacy(message, p.message)})
		}
	case wantsUnicast(p.message):
		if message := at.reply(p.message); message != nil {
			h.out = append(h.out, outgoing{at.link.Index, p.from, message})
		}
	case !at.continues(p.message, p.from):
		at.wait(p.message, p.from, now)
	}
}

// wantsUnicast: every question says so (RFC 6762 section 5.4).
func wantsUnicast(query *dns.Msg) bool {
	return len(query.Question) > 0 && len(query.Ns) == 0 && !query.Truncated &&
		!slices.ContainsFunc(query.Question, func(q dns.Question) bool { return q.Qclass&topBit == 0 })
}

// tick does what is due.
func (h *herald) tick(now time.Time) {
	for index, at := range h.stations {
		for _, message := range at.step(now) {
			h.out = append(h.out, outgoing{index, nil, message})
		}
		h.slow = h.slow && !at.holdsNames()
	}
}

// next is when tick has something to do; zero: not before something happens.
func (h *herald) next() time.Time {
	var first time.Time
	for _, at := range h.stations {
		if due := at.next(); !due.IsZero() && (first.IsZero() || due.Before(first)) {
			first = due
		}
	}
	return first
}

// goodbye takes back what was said. The host's addresses stay where another
// responder of this machine goes on with them.
func (h *herald) goodbye(keepHost bool) {
	for index, at := range h.stations {
		if !at.holdsNames() {
			continue
		}
		message := at.announcement(0)
		if keepHost {
			message.Answer = slices.DeleteFunc(message.Answer, func(r dns.RR) bool { return sameName(r.Header().Name, at.responder.host) })
		}
		h.out = append(h.out, outgoing{index, nil, message})
	}
}

// known are the names, once they are held on some link.
func (h *herald) known() (names, bool) {
	for _, at := range h.stations {
		if at.holdsNames() {
			return h.names, true
		}
	}
	return names{}, false
}

// take returns what is to be sent.
func (h *herald) take() []outgoing {
	out := h.out
	h.out = nil
	return out
}
