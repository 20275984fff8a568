package discovery

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Announcement is what Announce makes known.
type Announcement struct {
	Device Device   // Host is without a domain; "local" is added
	Texts  []string // further TXT entries
	Log    *slog.Logger
}

const (
	hostLife    = 120     // seconds; RFC 6762 section 10
	serviceLife = 75 * 60 // seconds
	legacyLife  = 10      // seconds; RFC 6762 section 6.7
	// topBit of a record's class: this is all there is of its kind (RFC 6762
	// section 10.2).
	topBit = 1 << 15
)

// Announce makes a device known on this machine, and nowhere else, until ctx
// ends; then it says goodbye. The caller sees to it that nothing else here has
// its name. The error says why that cannot be done.
func Announce(ctx context.Context, a Announcement) error {
	links, err := openLinks(a.Log, isLoopback)
	if err != nil {
		return fmt.Errorf("cannot announce %q: %w", a.Device.Name, err)
	}
	defer links.close()
	r := newResponder(a)
	defer func() { links.sendAll(r.announcement(0)) }()
	links.sendAll(r.announcement(1))
	again := time.NewTimer(time.Second) // RFC 6762 section 8.3: at least twice
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			links.sendAll(r.announcement(1))
		case p := <-links.packets:
			r.answer(links, p)
		}
	}
}

// responder holds a device's records.
type responder struct {
	instance, host string // escaped names
	records        []dns.RR
	kind           dns.RR // what kind of service it is; said only when asked
}

func newResponder(a Announcement) *responder {
	r := &responder{
		instance: asReceived(escapeLabel(a.Device.Name) + "." + serviceName),
		host:     asReceived(escapeLabel(a.Device.Host) + ".local."),
	}
	header := func(name string, kind, class uint16, life uint32) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: kind, Class: class, Ttl: life}
	}
	r.kind = &dns.PTR{Hdr: header(kindsName, dns.TypePTR, dns.ClassINET, serviceLife), Ptr: serviceName}
	r.records = []dns.RR{
		&dns.PTR{Hdr: header(serviceName, dns.TypePTR, dns.ClassINET, serviceLife), Ptr: r.instance},
		&dns.SRV{Hdr: header(r.instance, dns.TypeSRV, dns.ClassINET|topBit, hostLife), Port: a.Device.Port, Target: r.host},
		&dns.TXT{Hdr: header(r.instance, dns.TypeTXT, dns.ClassINET|topBit, serviceLife), Txt: slices.Concat([]string{deviceKey}, a.Texts)},
	}
	for _, address := range a.Device.Addresses {
		r.records = append(r.records, addressRecord(header, r.host, address))
	}
	return r
}

func addressRecord(header func(string, uint16, uint16, uint32) dns.RR_Header, host string, address netip.Addr) dns.RR {
	if address.Is4() {
		return &dns.A{Hdr: header(host, dns.TypeA, dns.ClassINET|topBit, hostLife), A: address.AsSlice()}
	}
	return &dns.AAAA{Hdr: header(host, dns.TypeAAAA, dns.ClassINET|topBit, hostLife), AAAA: address.AsSlice()}
}

// announcement is a message with all records; factor 0 makes it a goodbye.
func (r *responder) announcement(factor uint32) *dns.Msg {
	message := response()
	for _, record := range r.records {
		said := dns.Copy(record)
		said.Header().Ttl *= factor
		message.Answer = append(message.Answer, said)
	}
	return message
}

func response() *dns.Msg {
	message := new(dns.Msg)
	message.Response, message.Authoritative = true, true
	return message
}

func (r *responder) answer(links *links, p packet) {
	message := r.reply(p.message)
	if message == nil {
		return
	}
	if p.from.Port == port {
		links.sendAll(message)
		return
	}
	links.sendTo(forLegacy(message, p.message), p.from)
}

// reply is the answer to a query, nil if there is nothing to say.
func (r *responder) reply(query *dns.Msg) *dns.Msg {
	if query.Response {
		return nil
	}
	message := response()
	for _, record := range append(slices.Clone(r.records), r.kind) {
		if asksFor(query, record) && !knows(query, record) {
			message.Answer = append(message.Answer, dns.Copy(record))
		}
	}
	r.denyOthers(query, message)
	if len(message.Answer) == 0 {
		return nil
	}
	for _, record := range r.records { // who asks for one will want the others
		if !asksFor(query, record) {
			message.Extra = append(message.Extra, dns.Copy(record))
		}
	}
	return message
}

// denyOthers says so where a name that is ours has nothing of the type asked
// for: nobody need wait for it.
func (r *responder) denyOthers(query, message *dns.Msg) {
	for _, name := range []string{r.instance, r.host} {
		asked := slices.ContainsFunc(query.Question, func(q dns.Question) bool { return sameName(q.Name, name) })
		answered := slices.ContainsFunc(claims(r.records, name), func(record dns.RR) bool { return asksFor(query, record) })
		if asked && !answered {
			message.Answer = append(message.Answer, nothingElse(name, r.records))
		}
	}
}

func asksFor(query *dns.Msg, record dns.RR) bool {
	return slices.ContainsFunc(query.Question, func(q dns.Question) bool {
		sameKind := q.Qtype == record.Header().Rrtype || q.Qtype == dns.TypeANY
		return sameKind && dns.CanonicalName(q.Name) == dns.CanonicalName(record.Header().Name)
	})
}

// knows: the query holds the answer (RFC 6762 section 7.1).
func knows(query *dns.Msg, record dns.RR) bool {
	return slices.ContainsFunc(query.Answer, func(known dns.RR) bool {
		return known.Header().Ttl >= record.Header().Ttl/2 && dns.IsDuplicate(known, record)
	})
}

// forLegacy makes an answer for an ordinary DNS client (RFC 6762 section 6.7).
func forLegacy(message, query *dns.Msg) *dns.Msg {
	message.Id = query.Id
	message.Question = query.Question
	for _, record := range slices.Concat(message.Answer, message.Extra) {
		record.Header().Class &^= topBit
		record.Header().Ttl = min(record.Header().Ttl, legacyLife)
	}
	return message
}

// asReceived is a name as the DNS library writes it in a message it has read,
// so that names can be compared.
func asReceived(name string) string {
	wire := make([]byte, 2*len(name)+2)
	end, err := dns.PackDomainName(name, wire, 0, nil, false)
	if err != nil {
		return name // too long: every message with it fails, and says so
	}
	received, _, err := dns.UnpackDomainName(wire[:end], 0)
	if err != nil {
		return name
	}
	return received
}

// escapeLabel writes a name as one label in the DNS library's notation.
func escapeLabel(name string) string {
	var escaped strings.Builder
	for _, b := range []byte(name) {
		fmt.Fprintf(&escaped, "\\%03d", b)
	}
	return escaped.String()
}
