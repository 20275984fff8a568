package discovery

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/miekg/dns"
)

// Bounds on what a hostile network can make us keep.
const (
	maxInstances        = 1000
	maxHosts            = 1000
	maxAddressesPerHost = 32
	maxQuestions        = 40 // in one message
	maxKnownAnswers     = 20
)

// catalog is what the answers have told so far. It is a pure value: messages
// in, devices and further questions out.
//
// Each link has names of its own: one name on two links may be two devices.
type catalog struct {
	instances map[place]*instance
	hosts     map[place]*host
}

// place is a name on a link.
type place struct {
	link int    // the interface's index
	name string // canonical
}

// instance is one announced service.
type instance struct {
	name    string // as announced, escaped
	link    *net.Interface
	pointer *dns.PTR
	learned time.Time // when the pointer came
	host    string    // canonical; empty: no SRV yet
	shown   string    // the host's name as announced
	port    uint16
	texts   []string // the TXT record; nil: none yet
	gone    bool
	asked   bool // what is missing was asked for, besides the regular times
}

type host struct {
	addresses []netip.Addr
	asked     bool
}

func newCatalog() *catalog {
	return &catalog{instances: map[place]*instance{}, hosts: map[place]*host{}}
}

// learn takes in an answer that came over a link. Records may stand in
// any order, so those that others depend on are read first.
func (c *catalog) learn(message *dns.Msg, link *net.Interface, now time.Time) {
	if !message.Response {
		return
	}
	records := slices.Concat(message.Answer, message.Extra)
	for _, record := range records {
		if pointer, ok := record.(*dns.PTR); ok {
			c.learnInstance(pointer, link, now)
		}
	}
	for _, record := range records {
		switch record := record.(type) {
		case *dns.SRV:
			c.learnServer(record, link)
		case *dns.TXT:
			c.learnText(record, link)
		}
	}
	for _, record := range records {
		switch record := record.(type) {
		case *dns.A:
			c.learnAddress(record.Hdr, addrFrom(record.A), link)
		case *dns.AAAA:
			c.learnAddress(record.Hdr, addrFrom(record.AAAA), link)
		}
	}
}

func (c *catalog) learnInstance(pointer *dns.PTR, link *net.Interface, now time.Time) {
	if dns.CanonicalName(pointer.Hdr.Name) != serviceName || !isInstance(pointer.Ptr) {
		return
	}
	key := place{link.Index, dns.CanonicalName(pointer.Ptr)}
	known := c.instances[key]
	if known == nil {
		if pointer.Hdr.Ttl == 0 || len(c.instances) >= maxInstances {
			return
		}
		known = &instance{name: pointer.Ptr, link: link}
		c.instances[key] = known
	}
	known.pointer, known.learned = pointer, now
	known.gone = pointer.Hdr.Ttl == 0 // a goodbye: RFC 6762 section 10.1
}

func isInstance(name string) bool {
	return strings.HasSuffix(dns.CanonicalName(name), "."+serviceName)
}

func (c *catalog) learnServer(record *dns.SRV, link *net.Interface) {
	known := c.instances[place{link.Index, dns.CanonicalName(record.Hdr.Name)}]
	if known == nil || record.Hdr.Ttl == 0 {
		return
	}
	at := place{link.Index, dns.CanonicalName(record.Target)}
	if c.hosts[at] == nil {
		if len(c.hosts) >= maxHosts {
			return
		}
		c.hosts[at] = &host{}
	}
	known.host, known.shown, known.port = at.name, record.Target, record.Port
}

func (c *catalog) learnText(record *dns.TXT, link *net.Interface) {
	known := c.instances[place{link.Index, dns.CanonicalName(record.Hdr.Name)}]
	if known == nil || record.Hdr.Ttl == 0 {
		return
	}
	known.texts = slices.Concat([]string{}, record.Txt)
}

func (c *catalog) learnAddress(header dns.RR_Header, address netip.Addr, link *net.Interface) {
	known := c.hosts[place{link.Index, dns.CanonicalName(header.Name)}]
	if known == nil || !address.IsValid() || address.IsUnspecified() || address.IsMulticast() {
		return
	}
	if address.Is6() && address.IsLinkLocalUnicast() {
		address = address.WithZone(link.Name)
	}
	if address.IsLoopback() && link.Flags&net.FlagLoopback == 0 {
		return // this machine's own address is no other's
	}
	at := slices.Index(known.addresses, address)
	switch {
	case header.Ttl == 0 && at >= 0:
		known.addresses = slices.Delete(known.addresses, at, at+1)
	case header.Ttl != 0 && at < 0 && len(known.addresses) < maxAddressesPerHost:
		known.addresses = append(known.addresses, address)
	}
}

func addrFrom(ip []byte) netip.Addr {
	address, _ := netip.AddrFromSlice(ip)
	return address.Unmap()
}

// devices are the complete devices, and those of told that said goodbye,
// sorted by name and link.
func (c *catalog) devices(told map[sighting]Device) []Device {
	var found []Device
	for at, known := range c.instances {
		device := Device{
			Name: shownName(known.name), Host: strings.TrimSuffix(unescape(known.shown), "."), Port: known.port,
			Links: []string{known.link.Name},
		}
		if known.gone {
			if last, ok := told[device.sighting()]; ok {
				last.Addresses = nil
				found = append(found, last)
			}
			continue
		}
		if known.host == "" || known.port == 0 || !marksDevice(known.texts) {
			continue
		}
		device.Addresses = sortedAddresses(c.hosts[place{at.link, known.host}].addresses)
		if len(device.Addresses) > 0 {
			found = append(found, device)
		}
	}
	slices.SortFunc(found, func(a, b Device) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Links, b.Links))
	})
	return found
}

// marksDevice looks for the key among the others of a TXT record; keys ignore
// case, and the first of a kind counts (RFC 6763 section 6.4).
func marksDevice(texts []string) bool {
	return slices.ContainsFunc(texts, func(text string) bool {
		key, _, _ := strings.Cut(text, "=")
		return strings.EqualFold(key, deviceKey)
	})
}

// sortedAddresses puts first what works without knowing the link: IPv4, then
// global IPv6, then link-local addresses.
func sortedAddresses(addresses []netip.Addr) []netip.Addr {
	rank := func(a netip.Addr) int {
		switch {
		case a.Is4() && !a.IsLinkLocalUnicast():
			return 0
		case !a.IsLinkLocalUnicast():
			return 1
		case a.Is6():
			return 2
		}
		return 3
	}
	sorted := slices.Clone(addresses)
	slices.SortFunc(sorted, func(a, b netip.Addr) int {
		if difference := rank(a) - rank(b); difference != 0 {
			return difference
		}
		return a.Compare(b)
	})
	return sorted
}

// questions asks a link for what is missing of it. At the regular times it
// asks for all of it and for new instances; between them only for what was
// never asked for. It returns nil if there is nothing to ask.
func (c *catalog) questions(link int, now time.Time, regular bool) *dns.Msg {
	query := new(dns.Msg)
	query.Id = 0
	if regular {
		addQuestion(query, serviceName, dns.TypePTR)
		c.addKnownAnswers(query, link, now)
	}
	for at, known := range c.instances {
		if known.gone || at.link != link {
			continue
		}
		if (known.host == "" || known.texts == nil) && (regular || !known.asked) {
			known.asked = true
			addQuestion(query, at.name, dns.TypeSRV)
			addQuestion(query, at.name, dns.TypeTXT)
		}
		where := c.hosts[place{link, known.host}]
		if where == nil || len(where.addresses) > 0 || !marksDevice(known.texts) || where.asked && !regular {
			continue
		}
		where.asked = true
		addQuestion(query, known.host, dns.TypeA)
		addQuestion(query, known.host, dns.TypeAAAA)
	}
	if len(query.Question) == 0 {
		return nil
	}
	return query
}

func addQuestion(query *dns.Msg, name string, kind uint16) {
	if len(query.Question) < maxQuestions {
		query.Question = append(query.Question, dns.Question{Name: name, Qtype: kind, Qclass: dns.ClassINET})
	}
}

// addKnownAnswers tells the link what need not be said again: pointers with
// more than half of their life left (RFC 6762 section 7.1). Those of other
// links would silence a device of the same name here.
func (c *catalog) addKnownAnswers(query *dns.Msg, link int, now time.Time) {
	for at, known := range c.instances {
		if at.link != link || known.gone || known.host == "" || known.texts == nil || len(query.Answer) == maxKnownAnswers {
			continue
		}
		left := int64(known.pointer.Hdr.Ttl) - int64(now.Sub(known.learned).Seconds())
		if left <= int64(known.pointer.Hdr.Ttl)/2 {
			continue
		}
		again := *known.pointer
		again.Hdr.Ttl = uint32(left)
		query.Answer = append(query.Answer, &again)
	}
}

// shownName is the instance's own part of a service instance name, as people
// read it.
func shownName(name string) string {
	labels := dns.SplitDomainName(name)
	if len(labels) == 0 {
		return ""
	}
	return unescape(labels[0])
}

// unescape turns a name in the DNS library's notation into text. What could
// disturb a terminal becomes U+FFFD.
func unescape(name string) string {
	raw := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if name[i] != '\\' || i+1 == len(name) {
			raw = append(raw, name[i])
			continue
		}
		if i+3 < len(name) && isDigits(name[i+1:i+4]) {
			raw = append(raw, byte(int(name[i+1]-'0')*100+int(name[i+2]-'0')*10+int(name[i+3]-'0')))
			i += 3
			continue
		}
		i++
		raw = append(raw, name[i])
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(string(raw), string(unicode.ReplacementChar)))
}

func isDigits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}
