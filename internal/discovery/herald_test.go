package discovery

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// party is a network without time: boards hear each other at once, and the
// clock goes on to whatever is due next.
type party struct {
	t      *testing.T
	now    time.Time
	boards []*guest
	heard  []outgoing // all that was said to everybody
}

type guest struct {
	*herald
	ip   net.IP
	link *net.Interface
}

func newParty(t *testing.T) *party { return &party{t: t, now: time.Unix(1_700_000_000, 0)} }

// join plugs a board in.
func (p *party) join(name, address string, link *net.Interface) *guest {
	g := &guest{herald: newHerald(Board{Name: name, Host: name, Port: 22}), ip: net.ParseIP(address), link: link}
	g.setLinks([]linkNow{{link, []netip.Addr{netip.MustParseAddr(address)}}}, p.now)
	p.boards = append(p.boards, g)
	return g
}

// received is the message as it comes out of the wire.
func received(t *testing.T, message *dns.Msg) *dns.Msg {
	t.Helper()
	data, err := message.Pack()
	if err != nil {
		t.Fatal(err)
	}
	again := new(dns.Msg)
	if err := again.Unpack(data); err != nil {
		t.Fatal(err)
	}
	return again
}

// deliver takes what the boards say to those on the same link.
func (p *party) deliver() {
	for again := true; again; {
		again = false
		for _, from := range p.boards {
			for _, said := range from.take() {
				again = true
				p.heard = append(p.heard, said)
				for _, to := range p.boards {
					if to != from && to.link.Index == from.link.Index && said.to == nil {
						to.receive(packet{message: received(p.t, said.message), link: to.link, from: &net.UDPAddr{IP: from.ip, Port: port}}, p.now)
					}
				}
			}
		}
	}
}

// pass lets time go by.
func (p *party) pass(d time.Duration) {
	for end := p.now.Add(d); ; {
		p.deliver()
		next := end
		for _, g := range p.boards {
			if due := g.next(); !due.IsZero() && due.Before(next) {
				next = due
			}
		}
		if !next.After(p.now) && next.Equal(end) {
			return
		}
		p.now = next
		for _, g := range p.boards {
			g.tick(p.now)
		}
		if p.now.Equal(end) {
			p.deliver()
			return
		}
	}
}

// ask is a question of somebody at 192.0.2.99.
func (p *party) ask(of *guest, query *dns.Msg) []outgoing {
	before := len(p.heard)
	of.receive(packet{message: received(p.t, query), link: of.link, from: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 99), Port: port}}, p.now)
	p.pass(time.Second)
	return p.heard[before:]
}

func question(name string, kind uint16) *dns.Msg {
	query := new(dns.Msg)
	addQuestion(query, name, kind)
	return query
}

func named(t *testing.T, g *guest, instance, host string) {
	t.Helper()
	if got, known := g.known(); !known || got != (names{instance, host}) {
		t.Errorf("it is known as %q (%t), want %q and %q", got, known, instance, host)
	}
}

func TestABoardProbesBeforeItAnnounces(t *testing.T) {
	p := newParty(t)
	g := p.join("board", "192.0.2.7", eth0)
	p.pass(5 * time.Second)
	named(t, g, "board", "board")
	var order []string
	for _, said := range p.heard {
		order = append(order, map[bool]string{true: "announces", false: "probes"}[said.message.Response])
	}
	if got := strings.Join(order, " "); got != "probes probes probes announces announces" {
		t.Errorf("it %s", got)
	}
	if probe := p.heard[0].message; len(probe.Ns) != 3 || len(probe.Question) != 2 || probe.Question[0].Qtype != dns.TypeANY {
		t.Errorf("the probe: %v", probe)
	}
	c := newCatalog()
	c.learn(received(t, p.heard[4].message), eth0, p.now)
	if found := c.devices(nil); len(found) != 1 || found[0].Name != "board" || found[0].Host != "board.local" {
		t.Errorf("who listens finds %+v", found)
	}
}

func TestANameThatIsTakenIsLeftToWhoHasIt(t *testing.T) {
	p := newParty(t)
	first := p.join("board", "192.0.2.7", eth0)
	p.pass(5 * time.Second)
	second := p.join("board", "192.0.2.8", eth0)
	third := p.join("Board", "192.0.2.9", eth0)
	p.pass(20 * time.Second)
	named(t, first, "board", "board")
	got := []names{second.names, third.names}
	slices.SortFunc(got, func(a, b names) int { return strings.Compare(a.host[len(a.host)-1:], b.host[len(b.host)-1:]) })
	if !strings.EqualFold(got[0].instance, "board (2)") || !strings.EqualFold(got[0].host, "board-2") ||
		!strings.EqualFold(got[1].instance, "board (3)") || !strings.EqualFold(got[1].host, "board-3") {
		t.Errorf("the others are %q", got)
	}
}

// Boards that are switched on together all want the same names.
func TestBoardsThatStartTogetherEndWithNamesOfTheirOwn(t *testing.T) {
	for range 20 { // they wait random times
		p := newParty(t)
		for i := range 6 {
			p.join("board", fmt.Sprintf("192.0.2.%d", 10+i), eth0)
		}
		p.pass(2 * time.Minute)
		taken := map[string]bool{}
		for _, g := range p.boards {
			held, known := g.known()
			if !known || taken[held.host] || taken[held.instance+"."] {
				t.Fatalf("%q is taken or not known (%t)", held, known)
			}
			taken[held.host], taken[held.instance+"."] = true, true
		}
	}
}

// The same names on two networks are no quarrel until these become one.
func TestNetworksThatBecomeOne(t *testing.T) {
	p := newParty(t)
	a, b := p.join("board", "192.0.2.7", eth0), p.join("board", "192.0.2.8", wlan0)
	p.pass(5 * time.Second)
	named(t, a, "board", "board")
	named(t, b, "board", "board")
	b.link = eth0
	b.setLinks([]linkNow{{eth0, []netip.Addr{netip.MustParseAddr("192.0.2.8")}}}, p.now)
	p.pass(20 * time.Second)
	named(t, a, "board", "board")
	named(t, b, "board (2)", "board-2")
}

// Who has taken a name without asking makes the board look again, and give way.
func TestANameThatSomebodyTakes(t *testing.T) {
	p := newParty(t)
	g := p.join("board", "192.0.2.7", eth0)
	p.pass(5 * time.Second)
	thief := response()
	thief.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "board.local.", Rrtype: dns.TypeA, Class: dns.ClassINET | topBit, Ttl: 120}, A: net.IPv4(192, 0, 2, 8)}}
	from := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 8), Port: port}
	for range 3 {
		g.receive(packet{message: received(t, thief), link: eth0, from: from}, p.now)
		p.pass(100 * time.Millisecond)
	}
	p.pass(10 * time.Second)
	if held, known := g.known(); !known || held.host == "board" || held.instance != "board" {
		t.Errorf("it is %q (%t)", held, known)
	}
}

func TestSomebodyWhoTakesEveryNameIsNotFoughtWith(t *testing.T) {
	p := newParty(t)
	g := p.join("board", "192.0.2.7", eth0)
	probes := 0
	for range 200 {
		p.pass(100 * time.Millisecond)
		for _, said := range p.heard {
			if said.message.Response {
				continue
			}
			probes++
			thief := response()
			thief.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: said.message.Question[1].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 120}, A: net.IPv4(192, 0, 2, 8)}}
			g.receive(packet{message: received(t, thief), link: eth0, from: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 8), Port: port}}, p.now)
		}
		p.heard = nil
	}
	if probes > manyConflicts+6 {
		t.Errorf("in 20 s it probed %d times", probes)
	}
}

func TestAnswers(t *testing.T) {
	p := newParty(t)
	g := p.join("board", "192.0.2.7", eth0)
	p.pass(5 * time.Second)
	said := p.ask(g, question(serviceName, dns.TypePTR))
	if len(said) != 1 || len(said[0].message.Answer) != 1 || len(said[0].message.Extra) != 3 {
		t.Fatalf("asked for the service it says %v", said)
	}
	if said := p.ask(g, question(kindsName, dns.TypePTR)); len(said) != 1 || said[0].message.Answer[0].(*dns.PTR).Ptr != serviceName {
		t.Errorf("asked for kinds of services it says %v", said)
	}
	said6 := p.ask(g, question("BOARD.local.", dns.TypeAAAA))
	if len(said6) != 1 {
		t.Fatalf("asked for an address it does not have it says %v", said6)
	}
	if nsec, ok := said6[0].message.Answer[0].(*dns.NSEC); !ok || !slices.Equal(nsec.TypeBitMap, []uint16{dns.TypeA}) {
		t.Errorf("asked for an address it does not have it says %v", said6)
	}
	knowing := question(serviceName, dns.TypePTR)
	knowing.Answer = said[0].message.Answer
	if said := p.ask(g, knowing); len(said) != 0 {
		t.Errorf("asked by one who knows it says %v", said)
	}
	if said := p.ask(g, question("other.local.", dns.TypeA)); len(said) != 0 {
		t.Errorf("asked for another it says %v", said)
	}
	unicast := question("board.local.", dns.TypeA)
	unicast.Question[0].Qclass |= topBit
	if said := p.ask(g, unicast); len(said) != 1 || said[0].to == nil {
		t.Errorf("asked for an answer to one alone it says %v", said)
	}
}

// Known answers that did not fit into one packet come in the next.
func TestKnownAnswersInSeveralPackets(t *testing.T) {
	p := newParty(t)
	g := p.join("board", "192.0.2.7", eth0)
	p.pass(5 * time.Second)
	full := question(serviceName, dns.TypePTR)
	full.Truncated = true
	rest := new(dns.Msg)
	rest.Answer = []dns.RR{dns.Copy(g.stations[eth0.Index].records[0])}
	from := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 99), Port: port}
	before := len(p.heard)
	g.receive(packet{message: received(t, full), link: eth0, from: from}, p.now)
	p.pass(100 * time.Millisecond)
	g.receive(packet{message: received(t, rest), link: eth0, from: from}, p.now)
	p.pass(2 * time.Second)
	if said := p.heard[before:]; len(said) != 0 {
		t.Errorf("it says %v", said)
	}
}

func TestManyQuestionsGetOneAnswerASecond(t *testing.T) {
	p := newParty(t)
	g := p.join("board", "192.0.2.7", eth0)
	p.pass(5 * time.Second)
	before := len(p.heard)
	for range 100 {
		g.receive(packet{message: question(serviceName, dns.TypePTR), link: eth0, from: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 99), Port: port}}, p.now)
		p.pass(9 * time.Millisecond)
	}
	p.pass(time.Second)
	if said := len(p.heard) - before; said < 1 || said > 2 {
		t.Errorf("it answered %d times", said)
	}
}

func TestLinksAndAddressesComeAndGo(t *testing.T) {
	p := newParty(t)
	g := p.join("board", "192.0.2.7", eth0)
	p.pass(5 * time.Second)
	before := len(p.heard)
	moved := []linkNow{{eth0, []netip.Addr{netip.MustParseAddr("192.0.2.77")}}}
	g.setLinks(append(moved, linkNow{wlan0, []netip.Addr{netip.MustParseAddr("fe80::7")}}), p.now)
	p.pass(5 * time.Second)
	told := map[int]string{}
	for _, said := range p.heard[before:] {
		if said.message.Response {
			told[said.link] += fmt.Sprint(said.message.Answer)
		}
	}
	if !strings.Contains(told[eth0.Index], "192.0.2.77") || strings.Contains(told[eth0.Index], "fe80") {
		t.Errorf("eth0 is told %s", told[eth0.Index])
	}
	if !strings.Contains(told[wlan0.Index], "fe80::7") || strings.Contains(told[wlan0.Index], "192.0.2") {
		t.Errorf("wlan0 is told %s", told[wlan0.Index])
	}
	g.setLinks(moved, p.now)
	g.goodbye(false)
	bye := g.take()
	if len(bye) != 1 || bye[0].link != eth0.Index || bye[0].message.Answer[0].Header().Ttl != 0 {
		t.Errorf("it takes leave with %v", bye)
	}
}

func TestGivingWayLeavesTheHostToTheOther(t *testing.T) {
	p := newParty(t)
	g := p.join("board", "192.0.2.7", eth0)
	p.pass(5 * time.Second)
	g.goodbye(true)
	for _, record := range g.take()[0].message.Answer {
		if record.Header().Rrtype == dns.TypeA {
			t.Errorf("it takes back %v", record)
		}
	}
	query, probe, answer := question("x.local.", dns.TypeA), g.stations[eth0.Index].probe(), g.stations[eth0.Index].announcement(1)
	if speaksFor(packet{message: query}) || !speaksFor(packet{message: probe}) || !speaksFor(packet{message: answer}) {
		t.Error("questions, probes and answers of this machine are not told apart")
	}
}

// The example of RFC 6762 section 8.2.1: 169.254.200.50 wins, for 200 is more
// than 99.
func TestWhoWinsADraw(t *testing.T) {
	records := func(texts ...string) []dns.RR {
		var all []dns.RR
		for _, text := range texts {
			record, err := dns.NewRR(text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, record)
		}
		return all
	}
	for _, c := range []struct {
		a, b []dns.RR
		want int
	}{
		{records("h.local. A 169.254.99.200"), records("h.local. A 169.254.200.50"), -1},
		{records("h.local. A 169.254.99.200"), records("h.local. 5 A 169.254.99.200"), 0},
		{records("h.local. A 169.254.99.200"), records("h.local. AAAA ::1"), -1},
		{records("h.local. AAAA ::1", "h.local. A 1.2.3.4"), records("h.local. A 1.2.3.4"), 1},
		{records("i.local. SRV 0 0 22 a.local."), records("i.local. SRV 0 0 22 b.local."), -1},
	} {
		if got := compareClaims(c.a, c.b); got != c.want || compareClaims(c.b, c.a) != -c.want {
			t.Errorf("%v against %v: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestNamesToTryNext(t *testing.T) {
	long := strings.Repeat("ü", 40)
	for name, want := range map[string]string{
		"board": "board (2)", "board (2)": "board (3)", "board (x)": "board (x) (2)", "board (1)": "board (1) (2)", "(9)": "(9) (2)",
		long: strings.Repeat("ü", 29) + " (2)",
	} {
		if got := nextInstance(name); got != want || len(got) > maxLabel {
			t.Errorf("after %q comes %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"board": "board-2", "board-2": "board-3", "board-x": "board-x-2", "rpi-20240101": "rpi-20240101-2"} {
		if got := nextHost(name); got != want {
			t.Errorf("after %q comes %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"Board.example.com": "Board", "größe 1": "gr--e-1", "": "mbl-device", "localhost": "mbl-device", "(none)": "none"} {
		if got := hostLabel(name); got != want {
			t.Errorf("the host %q is called %q, want %q", name, got, want)
		}
	}
}

func FuzzHerald(f *testing.F) {
	g := newHerald(Board{Name: "board", Host: "board", Port: 22})
	g.setLinks([]linkNow{{eth0, []netip.Addr{netip.MustParseAddr("192.0.2.7")}}}, time.Unix(0, 0))
	for _, message := range []*dns.Msg{g.stations[eth0.Index].probe(), g.stations[eth0.Index].announcement(1), question(serviceName, dns.TypeANY)} {
		data, err := message.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, false)
		f.Add(data, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, established bool) {
		message := new(dns.Msg)
		if message.Unpack(data) != nil {
			return
		}
		now := time.Unix(1000, 0)
		h := newHerald(Board{Name: "board", Host: "board", Port: 22})
		h.setLinks([]linkNow{{eth0, []netip.Addr{netip.MustParseAddr("192.0.2.7")}}}, now)
		for i := 0; established && i < 10; i++ {
			now = now.Add(time.Second)
			h.tick(now)
		}
		for _, from := range []int{port, 40000} {
			h.receive(packet{message: message.Copy(), link: eth0, from: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 8), Port: from}}, now)
			h.tick(now.Add(10 * time.Second))
		}
		for _, said := range h.take() {
			if _, err := said.message.Pack(); err != nil {
				t.Errorf("it cannot say %v: %v", said.message, err)
			}
		}
	})
}
