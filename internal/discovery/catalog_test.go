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

// answers reads records in the notation of zone files.
func answers(t *testing.T, records ...string) *dns.Msg {
	t.Helper()
	message := response()
	for _, text := range records {
		record, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		message.Answer = append(message.Answer, record)
	}
	return message
}

var (
	eth0  = &net.Interface{Index: 2, Name: "eth0", Flags: net.FlagUp | net.FlagMulticast}
	wlan0 = &net.Interface{Index: 3, Name: "wlan0", Flags: net.FlagUp | net.FlagMulticast}
)

const (
	pointer = `_ssh._tcp.local. 4500 IN PTR board\ 1._ssh._tcp.local.`
	server  = `board\ 1._ssh._tcp.local. 120 IN SRV 0 0 2222 board.local.`
	text    = `board\ 1._ssh._tcp.local. 4500 IN TXT "version=2" "mblos"`
	address = `board.local. 120 IN A 192.0.2.7`
)

var whole = Device{
	Name: "board 1", Host: "board.local", Port: 2222, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.7")},
	Links: []string{"eth0"},
}

func TestDeviceIsKnownWhateverTheOrder(t *testing.T) {
	for _, records := range [][]string{
		{pointer, server, text, address},
		{address, text, server, pointer},
	} {
		c := newCatalog()
		c.learn(answers(t, records...), eth0, time.Now())
		if found := c.devices(nil); len(found) != 1 || !found[0].Equal(whole) {
			t.Errorf("%q: found %+v", records, found)
		}
	}
}

// Answers that leave records out are everyday: a packet is full.
func TestMissingPiecesAreAskedForOnce(t *testing.T) {
	c := newCatalog()
	for _, step := range []struct {
		record string
		asks   []uint16
	}{
		{pointer, []uint16{dns.TypeSRV, dns.TypeTXT}},
		{pointer, nil},
		{text, nil},
		{server, []uint16{dns.TypeA, dns.TypeAAAA}},
		{server, nil},
		{address, nil},
	} {
		c.learn(answers(t, step.record), eth0, time.Now())
		var asks []uint16
		if query := c.questions(eth0.Index, time.Now(), false); query != nil {
			for _, question := range query.Question {
				asks = append(asks, question.Qtype)
			}
		}
		if !slices.Equal(asks, step.asks) {
			t.Errorf("after %s it asks for %v, want %v", step.record, asks, step.asks)
		}
	}
	if found := c.devices(nil); len(found) != 1 || !found[0].Equal(whole) {
		t.Errorf("found %+v", found)
	}
}

func TestOnlyMarkedServicesAreDevices(t *testing.T) {
	for mark, want := range map[string]bool{
		`"mblos"`: true, `"MblOS=1"`: true, `"a=b" "mblos=" "c"`: true,
		`""`: false, `"mbl"`: false, `"mblosx"`: false, `"a=mblos"`: false,
	} {
		c := newCatalog()
		c.learn(answers(t, pointer, server, address, `board\ 1._ssh._tcp.local. 4500 IN TXT `+mark), eth0, time.Now())
		if got := len(c.devices(nil)) == 1; got != want {
			t.Errorf("TXT %s: a device %t, want %t", mark, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	c := newCatalog()
	c.learn(answers(t, pointer, server, text, `board.local. 120 IN AAAA fe80::1`, `board.local. 120 IN AAAA 2001:db8::1`), eth0, time.Now())
	c.learn(answers(t, address, `board.local. 120 IN AAAA fe80::1`, `board.local. 120 IN A 0.0.0.0`, `board.local. 120 IN A 127.0.0.1`, `board.local. 120 IN AAAA ff02::fb`), eth0, time.Now())
	found := c.devices(nil)
	if len(found) != 1 {
		t.Fatalf("found %+v", found)
	}
	if got := texts(found[0]); got != "192.0.2.7 2001:db8::1 fe80::1%eth0" {
		t.Errorf("got %v", got)
	}
}

func texts(device Device) string {
	var all []string
	for _, a := range device.Addresses {
		all = append(all, a.String())
	}
	return strings.Join(all, " ")
}

// Boards with one name on two networks answer each on its own: what one says
// is nothing the other one said.
func TestLinksAreKeptApart(t *testing.T) {
	c := newCatalog()
	c.learn(answers(t, pointer, server, text, address), eth0, time.Now())
	c.learn(answers(t, pointer), wlan0, time.Now())
	if query := c.questions(wlan0.Index, time.Now(), false); query == nil || len(query.Question) != 2 {
		t.Errorf("of the one on wlan0 nothing is known, and this is asked: %v", query)
	}
	if query := c.questions(wlan0.Index, time.Now(), true); len(query.Answer) != 0 {
		t.Errorf("wlan0 is told what was learnt on eth0: %v", query)
	}
	c.learn(answers(t, server, text, `board.local. 120 IN A 192.0.2.8`), wlan0, time.Now())
	found := c.devices(nil)
	if len(found) != 2 || !found[0].Equal(whole) || texts(found[1]) != "192.0.2.8" || found[1].Links[0] != "wlan0" {
		t.Fatalf("found %+v", found)
	}
	told := map[sighting]Device{found[0].sighting(): found[0], found[1].sighting(): found[1]}
	c.learn(answers(t, strings.Replace(pointer, "4500", "0", 1)), wlan0, time.Now())
	if left := c.devices(told); len(left) != 2 || len(left[0].Addresses) != 1 || len(left[1].Addresses) != 0 {
		t.Errorf("after the goodbye on wlan0: %+v", left)
	}
}

func TestOneInterfaceIsKnownByItsAddresses(t *testing.T) {
	on := func(link string, addresses ...string) Device {
		d := Device{Name: "board", Port: 22, Links: []string{link}}
		for _, address := range addresses {
			d.Addresses = append(d.Addresses, netip.MustParseAddr(address))
		}
		return d
	}
	for _, test := range []struct {
		a, b Device
		want bool
	}{
		{on("eth0", "192.0.2.7", "fe80::1%eth0"), on("wlan0", "192.0.2.7", "fe80::1%wlan0"), true},
		{on("eth0", "fe80::1%eth0"), on("wlan0", "fe80::1%wlan0"), true},
		{on("eth0", "192.0.2.7"), on("wlan0", "192.0.2.7", "fe80::1%wlan0"), true},
		{on("eth0", "192.0.2.7"), on("wlan0", "192.0.2.8"), false},
		{on("usb0", "192.168.7.2", "fe80::1%usb0"), on("usb1", "192.168.7.2", "fe80::2%usb1"), false},
	} {
		if got := test.a.SharesAddress(test.b); got != test.want {
			t.Errorf("%v and %v: %t", test.a.Addresses, test.b.Addresses, got)
		}
	}
	joined := on("eth0", "192.0.2.7", "fe80::1%eth0").Join(on("wlan0", "192.0.2.7", "fe80::1%wlan0"))
	if texts(joined) != "192.0.2.7 fe80::1%eth0 fe80::1%wlan0" || strings.Join(joined.Links, " ") != "eth0 wlan0" {
		t.Errorf("joined: %+v", joined)
	}
}

func TestANeighbourThatNeverStopsFillsNoMemory(t *testing.T) {
	c := newCatalog()
	c.learn(answers(t, pointer, server, text, address), eth0, time.Now())
	for i := range 3 * maxHosts {
		c.learn(answers(t,
			fmt.Sprintf(`_ssh._tcp.local. 4500 IN PTR x%d._ssh._tcp.local.`, i),
			fmt.Sprintf(`x1._ssh._tcp.local. 120 IN SRV 0 0 22 h%d.local.`, i),
			fmt.Sprintf(`h1.local. 120 IN A 192.0.%d.%d`, 2+i/250, 1+i%250),
		), eth0, time.Now())
	}
	if len(c.instances) > maxInstances || len(c.hosts) > maxHosts {
		t.Errorf("%d instances and %d hosts are kept", len(c.instances), len(c.hosts))
	}
	if found := c.devices(nil); len(found) != 1 || !found[0].Equal(whole) {
		t.Errorf("found %+v", found)
	}
}

func TestGoodbye(t *testing.T) {
	c := newCatalog()
	c.learn(answers(t, pointer, server, text, address), eth0, time.Now())
	told := map[sighting]Device{whole.sighting(): c.devices(nil)[0]}
	c.learn(answers(t, strings.Replace(pointer, "4500", "0", 1)), eth0, time.Now())
	if found := c.devices(told); len(found) != 1 || found[0].Name != whole.Name || len(found[0].Addresses) != 0 {
		t.Errorf("got %+v", found)
	}
	c.learn(answers(t, pointer), eth0, time.Now())
	if found := c.devices(told); len(found) != 1 || !found[0].Equal(whole) {
		t.Errorf("when it is back: %+v", found)
	}
}

func TestKnownAnswersAreTold(t *testing.T) {
	c := newCatalog()
	start := time.Now()
	c.learn(answers(t, pointer, server, text, address), eth0, start)
	query := c.questions(eth0.Index, start.Add(time.Minute), true)
	if len(query.Question) != 1 || len(query.Answer) != 1 || query.Answer[0].Header().Ttl != 4440 {
		t.Errorf("the query is %v", query)
	}
	if query := c.questions(eth0.Index, start.Add(time.Hour), true); len(query.Answer) != 0 {
		t.Errorf("past half its life it is still told: %v", query)
	}
}

func TestNamesCannotDisturbATerminal(t *testing.T) {
	for escaped, want := range map[string]string{
		`plain`: "plain", `with\ space`: "with space", `dot\.ted`: "dot.ted", `Ger\195\164t`: "Gerät",
		`\027[31mred`: "\uFFFD[31mred", `bad\255`: "bad\uFFFD", `tail\`: `tail\`, `\226\128\174x`: "\uFFFDx",
	} {
		if got := unescape(escaped); got != want {
			t.Errorf("%s: got %q, want %q", escaped, got, want)
		}
	}
}

func TestResponder(t *testing.T) {
	r := newResponder(Announcement{Device: Device{
		Name: "a b.c@ü", Host: "h", Port: 22, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
	}})
	ask := func(name string, kind uint16) *dns.Msg {
		query := new(dns.Msg)
		addQuestion(query, name, kind)
		received := new(dns.Msg)
		if data, err := query.Pack(); err != nil || received.Unpack(data) != nil {
			t.Fatal(err)
		}
		return received
	}
	reply := r.reply(ask("_SSH._tcp.local.", dns.TypePTR))
	if reply == nil || len(reply.Answer) != 1 || len(reply.Extra) != 3 {
		t.Fatalf("asked for the service it says %v", reply)
	}
	if reply := r.reply(ask(reply.Answer[0].(*dns.PTR).Ptr, dns.TypeANY)); reply == nil || len(reply.Answer) != 2 {
		t.Errorf("asked for the instance it says %v", reply)
	}
	if reply := r.reply(ask("other.local.", dns.TypeA)); reply != nil {
		t.Errorf("asked for another it says %v", reply)
	}
	knowing := ask("_ssh._tcp.local.", dns.TypePTR)
	knowing.Answer = reply.Answer
	if reply := r.reply(knowing); reply != nil {
		t.Errorf("asked by one who knows it says %v", reply)
	}
	legacy := forLegacy(r.reply(ask("h.local.", dns.TypeA)), ask("h.local.", dns.TypeA))
	if header := legacy.Answer[0].Header(); header.Ttl > 10 || header.Class != dns.ClassINET || len(legacy.Question) != 1 {
		t.Errorf("an ordinary client is told %v", legacy)
	}
}

func FuzzCatalog(f *testing.F) {
	message := response()
	for _, text := range []string{pointer, server, text, address} {
		record, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		message.Answer = append(message.Answer, record)
	}
	seed, err := message.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		message := new(dns.Msg)
		if message.Unpack(data) != nil {
			return
		}
		c := newCatalog()
		c.learn(message, eth0, time.Unix(0, 0))
		for _, device := range c.devices(nil) {
			if device.Name != strings.ToValidUTF8(device.Name, "?") || device.Port == 0 || len(device.Addresses) == 0 {
				t.Errorf("incomplete device %+v", device)
			}
		}
		for _, regular := range []bool{true, false} {
			if query := c.questions(eth0.Index, time.Unix(1, 0), regular); query != nil {
				if _, err := query.Pack(); err != nil {
					t.Errorf("cannot ask %v: %v", query, err)
				}
			}
		}
	})
}
