package discovery

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// Times of RFC 6762, sections 6, 7.2 and 8.
const (
	probeTimes    = 3
	probePause    = 250 * time.Millisecond
	announceTimes = 2
	announcePause = time.Second
	sayAgain      = time.Second // not sooner is a record repeated
	lostTheDraw   = time.Second
	maxPending    = 16
)

// station is a board on one link: what it says there, and when.
type station struct {
	link      *net.Interface
	addresses []netip.Addr
	*responder

	probed    int
	announced int
	due       time.Time // of the next step; zero: there is none
	pending   []pending
	said      map[string]time.Time // when a record was last said, by its text
}

// pending is an answer that waits: for others to say it, or for the rest of the
// question.
type pending struct {
	due   time.Time
	from  *net.UDPAddr
	query *dns.Msg
}

// holdsNames: the names were probed for, and are this board's.
func (s *station) holdsNames() bool { return s.probed == probeTimes && s.announced > 0 }

// begin probes for the names, at a random moment: boards that are switched on
// together do not speak together.
func (s *station) begin(r *responder, from time.Time) {
	s.responder = r
	s.probed, s.announced, s.pending, s.said = 0, 0, nil, map[string]time.Time{}
	s.due = from.Add(rand.N(probePause))
}

// step does what is due and returns what is to be said.
func (s *station) step(now time.Time) []*dns.Msg {
	var say []*dns.Msg
	if !s.due.IsZero() && !now.Before(s.due) {
		say = append(say, s.proceed(now))
	}
	due := func(p pending) bool { return !now.Before(p.due) }
	for _, p := range s.pending {
		if due(p) {
			say = append(say, s.answerAll(p.query, now))
		}
	}
	s.pending = slices.DeleteFunc(s.pending, due)
	return slices.DeleteFunc(say, func(m *dns.Msg) bool { return m == nil })
}

// proceed is the next step from nothing to known.
func (s *station) proceed(now time.Time) *dns.Msg {
	if s.probed < probeTimes {
		s.probed++
		s.due = now.Add(probePause)
		return s.probe()
	}
	s.announced++
	s.due = time.Time{}
	if s.announced < announceTimes {
		s.due = now.Add(announcePause)
	}
	message := s.announcement(1)
	s.noteSaid(message.Answer, now)
	return message
}

// probe asks whether somebody has the names, and says what for.
func (s *station) probe() *dns.Msg {
	query := new(dns.Msg)
	for _, name := range []string{s.instance, s.host} {
		addQuestion(query, name, dns.TypeANY)
	}
	for _, record := range s.records {
		if isUnique(record) {
			claim := dns.Copy(record)
			claim.Header().Class &^= topBit // not in probes: RFC 6762 section 10.2
			query.Ns = append(query.Ns, claim)
		}
	}
	query.Id = 0
	return query
}

// answerAll answers a query by multicast, but for what was just said; a probe
// is always answered, or its sender takes the name.
func (s *station) answerAll(query *dns.Msg, now time.Time) *dns.Msg {
	message := s.reply(query)
	if message == nil {
		return nil
	}
	if len(query.Ns) == 0 {
		justSaid := func(record dns.RR) bool { return now.Sub(s.said[record.String()]) < sayAgain }
		message.Answer = slices.DeleteFunc(message.Answer, justSaid)
	}
	if len(message.Answer) == 0 {
		return nil
	}
	s.noteSaid(message.Answer, now)
	return message
}

func (s *station) noteSaid(records []dns.RR, now time.Time) {
	for _, record := range records {
		s.said[record.String()] = now
	}
}

// wait puts an answer off. A query whose known answers did not fit into one
// packet is waited for longer (RFC 6762 section 7.2).
func (s *station) wait(query *dns.Msg, from *net.UDPAddr, now time.Time) {
	delay := 20*time.Millisecond + rand.N(100*time.Millisecond)
	switch {
	case query.Truncated:
		delay = 400*time.Millisecond + rand.N(100*time.Millisecond)
	case s.onlyUnique(query):
		delay = 0
	}
	if len(s.pending) < maxPending {
		s.pending = append(s.pending, pending{now.Add(delay), from, query})
	}
}

// onlyUnique: nobody else can have the answer.
func (s *station) onlyUnique(query *dns.Msg) bool {
	return !slices.ContainsFunc(s.records, func(record dns.RR) bool { return !isUnique(record) && asksFor(query, record) })
}

// continues takes in further known answers to a query that waits; false if it
// is no such message.
func (s *station) continues(query *dns.Msg, from *net.UDPAddr) bool {
	if len(query.Question) > 0 {
		return false
	}
	for _, p := range s.pending {
		if p.query.Truncated && p.from.IP.Equal(from.IP) {
			p.query.Answer = append(p.query.Answer, query.Answer...)
			return true
		}
	}
	return false
}

// next is when there is something to do; zero: never.
func (s *station) next() time.Time {
	first := s.due
	for _, p := range s.pending {
		if first.IsZero() || p.due.Before(first) {
			first = p.due
		}
	}
	return first
}
