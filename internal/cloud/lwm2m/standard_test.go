package lwm2m

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
	"mbl/internal/lwm2m/senml"
	"mbl/internal/pki"
)

// standardClient answers a bootstrap as a client of OMA LwM2M does, and
// remembers it.
type standardClient struct {
	t         *testing.T
	discovery string   // answer to Bootstrap-Discover; empty: 4.05
	server    []byte   // answer to Bootstrap-Read of its Server object; nil: 4.05
	serverAs  uint16   // its format
	takes     []uint16 // content formats
	refuses   string   // a step it answers 4.05
	silent    bool     // it keeps what it is asked for to itself

	mu      sync.Mutex
	steps   []string
	written map[string][]senml.Entry
}

func (c *standardClient) handle(ctx context.Context, req *coap.Request) *coap.Response {
	if c.silent && req.Code == coap.GET {
		<-ctx.Done()
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	step := fmt.Sprintf("%s /%s", req.Code, strings.Join(req.Path, "/"))
	c.steps = append(c.steps, step)
	switch {
	case step == c.refuses:
		return &coap.Response{Code: coap.MethodNotAllowed}
	case req.Code == coap.GET && len(req.Path) == 0 && c.discovery != "" && *req.Accept == lwm2m.FormatLinks:
		return &coap.Response{Code: coap.Content, ContentFormat: new(lwm2m.FormatLinks), Payload: []byte(c.discovery)}
	case req.Code == coap.GET && len(req.Path) > 0 && c.server != nil:
		return &coap.Response{Code: coap.Content, ContentFormat: &c.serverAs, Payload: c.server}
	case req.Code == coap.DELETE:
		return &coap.Response{Code: coap.Deleted}
	case req.Code == coap.PUT:
		return &coap.Response{Code: c.put(req)}
	case req.Code == coap.POST:
		return &coap.Response{Code: coap.Changed}
	default:
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
}

func (c *standardClient) put(req *coap.Request) coap.Code {
	for _, format := range c.takes {
		if format != *req.ContentFormat {
			continue
		}
		entries, err := readInstance(format, req.Path, req.Payload)
		if err != nil {
			c.t.Error(err)
			return coap.BadRequest
		}
		c.written["/"+strings.Join(req.Path, "/")] = entries
		return coap.Changed
	}
	return coap.UnsupportedContentFormat
}

func readInstance(format uint16, path []string, payload []byte) ([]senml.Entry, error) {
	if format != lwm2m.FormatTLV {
		return senml.Decode(format, payload)
	}
	instance, err := lwm2m.PathOf(path)
	if err != nil {
		return nil, err
	}
	items, err := lwm2m.DecodeTLV(payload)
	var entries []senml.Entry
	for _, item := range items {
		entries = append(entries, senml.Entry{Path: append(instance[:2:2], item.ID), Value: item.Value})
	}
	return entries, err
}

// value is what was written to a resource, as text.
func (c *standardClient) value(path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, instance := range c.written {
		for _, entry := range instance {
			if entry.Path.String() != path {
				continue
			}
			if data, is := entry.Value.([]byte); is {
				return string(data)
			}
			return fmt.Sprint(entry.Value)
		}
	}
	return "nothing"
}

func newStandardClient(t *testing.T, formats ...uint16) *standardClient {
	return &standardClient{t: t, takes: formats, written: map[string][]senml.Entry{}}
}

// bootstrap runs a bootstrap in memory and returns what was granted.
func (c *standardClient) bootstrap(query string) *cloud.BootstrapGrant {
	c.t.Helper()
	key := newKey(c.t)
	private, err := pki.MarshalSEC1(key)
	if err != nil {
		c.t.Fatal(err)
	}
	grant := grantFor(deviceID)
	grant.PrivateKey = private
	service := &fakeService{grants: []*cloud.BootstrapGrant{grant}}
	s := newServers(c.t, service)
	d := s.arrive(bootstrap, c.handle)
	d.expect(s.ctx, coap.POST, "bs?"+query, "", coap.Changed)
	<-d.ended
	if fmt.Sprint(service.finished) != "["+deviceID+"]" || len(service.aborted) > 0 {
		c.t.Errorf("finished %q, aborted %q", service.finished, service.aborted)
	}
	return grant
}

func TestAStandardClientGetsTheStandardSequence(t *testing.T) {
	for name, test := range map[string]struct {
		query  string
		format uint16
	}{
		"TLV":         {"ep=endpoint", lwm2m.FormatTLV},
		"TLV asked":   {"ep=endpoint&pct=11542", lwm2m.FormatTLV},
		"SenML JSON":  {"ep=endpoint&pct=110", senml.FormatJSON},
		"SenML CBOR":  {"ep=endpoint&pct=112", senml.FormatCBOR},
		"other asked": {"ep=endpoint&pct=60", lwm2m.FormatTLV},
		"only CBOR":   {"ep=endpoint", senml.FormatCBOR},
		"only JSON":   {"ep=endpoint", senml.FormatJSON},
		"nameless":    {"pct=112", senml.FormatCBOR}, // its handshake says who it is
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			c := newStandardClient(t, test.format)
			c.discovery = `</>;lwm2m=1.1,</0/0>,</1/0>;ssid=1,</3/0>`
			grant := c.bootstrap(test.query)
			key, err := pki.ParsePrivateKey([]byte(c.value("/0/1/5")))
			if err != nil {
				t.Fatalf("the private key is not PKCS#8: %v", err)
			}
			granted, err := pki.ParsePrivateKey(grant.PrivateKey)
			if err != nil || !granted.Equal(key) {
				t.Errorf("another private key was written, %v", err)
			}
			if _, err := x509.ParsePKCS8PrivateKey([]byte(c.value("/0/1/5"))); err != nil {
				t.Error(err)
			}
			if c.value("/0/1/0") != "coaps://localhost:5684" || c.value("/0/1/3") != string(grant.DeviceCertificate) ||
				c.value("/0/1/4") != string(grant.ServerCA) || c.value("/1/0/7") != "U" {
				t.Errorf("written %v", c.written)
			}
			if test.format != lwm2m.FormatTLV {
				for path, wanted := range map[string]string{
					"/0/1/1": "false", "/0/1/2": "2", "/0/1/10": "1", "/0/1/15": "2", "/1/0/0": "1", "/1/0/1": "86400", "/1/0/6": "false",
				} {
					if got := c.value(path); got != wanted {
						t.Errorf("%s is %s", path, got)
					}
				}
			}
			order := strings.Join(c.steps, ", ")
			if !strings.HasPrefix(order, "GET /, GET /1/0, DELETE /0, DELETE /1, PUT /0/1") || !strings.HasSuffix(order, "PUT /1/0, POST /bs") {
				t.Errorf("the order is %s", order)
			}
		}))
	}
}

func TestAStandardClientsOwnInstancesAreRespected(t *testing.T) {
	for name, test := range map[string]struct{ discovery, security, server string }{
		"it says nothing":            {"", "/0/1", "/1/0"},
		"its bootstrap stands first": {`lwm2m="1.0",</0/0>,</3/0>`, "/0/1", "/1/0"},
		"its bootstrap stands there": {`</>;lwm2m=1.1,</0/0>,</0/1>,</0/2>`, "/0/3", "/1/0"},
		"we were there":              {`</>;lwm2m=1.1,</0/7>;ssid=1;uri="coaps://old",</0/1>,</1/5>;ssid=1`, "/0/7", "/1/5"},
		"others were there":          {`</>;lwm2m=1.1,</0/1>;ssid=2,</1/0>;ssid=2`, "/0/1", "/1/0"},
		"it cannot be read":          {`</0/1`, "/0/1", "/1/0"},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			c := newStandardClient(t, lwm2m.FormatTLV)
			c.discovery = test.discovery
			c.bootstrap("ep=endpoint")
			if c.written[test.security] == nil || c.written[test.server] == nil || len(c.written) != 2 {
				t.Errorf("written %v", c.steps)
			}
		}))
	}
}

func TestTheCertificateUsageIsForClientsThatKnowIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for discovery, wanted := range map[string]string{
			`lwm2m="1.0",</0/0>`: "nothing", ``: "nothing", `</>;lwm2m=1.1,</0/0>`: "\x02", `</>;lwm2m=1.2,</0/0>`: "\x02",
		} {
			c := newStandardClient(t, lwm2m.FormatTLV)
			c.discovery = discovery
			c.bootstrap("ep=endpoint")
			if got := c.value("/0/1/15"); got != wanted {
				t.Errorf("after %q it is %q", discovery, got)
			}
		}
	})
}

func TestWhatWasSetOnADeviceSurvivesABootstrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := []senml.Entry{
			{Path: lwm2m.Path{1, 0, 0}, Value: int64(1)},
			{Path: lwm2m.Path{1, 0, 1}, Value: int64(300)},
			{Path: lwm2m.Path{1, 0, 7}, Value: "UQ"},
		}
		for _, format := range []uint16{lwm2m.FormatTLV, senml.FormatJSON, senml.FormatCBOR} {
			c := newStandardClient(t, senml.FormatCBOR)
			var err error
			if c.server, err = encodeInstance(format, server); err != nil {
				t.Fatal(err)
			}
			c.serverAs = format
			c.bootstrap("pct=112")
			if c.value("/1/0/1") != "300" || c.value("/1/0/7") != "UQ" {
				t.Errorf("%d: written %v", format, c.written)
			}
		}
		for _, text := range []string{
			`[{"n":"/1/0/1","v":1},{"n":"/1/0/7","vs":"no binding"}]`, `[{"n":"/1/0/1","v":-5}]`, `[{"n":"/1/0/1","v":99999999999}]`,
			`[{"n":"/1/0/1","vs":"300"},{"n":"/1/0/7","v":1}]`, `[{"n":"/3/0/1","v":300}]`, `{`,
		} {
			c := newStandardClient(t, senml.FormatCBOR)
			c.server, c.serverAs = []byte(text), senml.FormatJSON
			c.bootstrap("pct=112")
			if c.value("/1/0/1") != "86400" || c.value("/1/0/7") != "U" {
				t.Errorf("%s: written %v", text, c.written)
			}
		}
	})
}

func TestAStandardClientThatLeavesQuestionsUnansweredIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newStandardClient(t, lwm2m.FormatTLV)
		c.silent = true
		c.bootstrap("ep=endpoint")
		if c.written["/0/1"] == nil || c.written["/1/0"] == nil {
			t.Errorf("written %v", c.steps)
		}
	})
}

func TestAStandardClientThatDeletesNothingIsWrittenTo(t *testing.T) {
	c := newStandardClient(t, lwm2m.FormatTLV)
	c.refuses = "DELETE /1"
	c.bootstrap("ep=endpoint")
}

func TestAStandardClientThatTakesNothingIsGivenUp(t *testing.T) {
	service := &fakeService{grants: []*cloud.BootstrapGrant{newNetwork(t, &fakeService{}).newGrant()}}
	s := newServers(t, service)
	d := s.arrive(bootstrap, newStandardClient(t).handle)
	d.expect(s.ctx, coap.POST, "bs?ep=endpoint", "", coap.Changed)
	for len(service.reasons()) == 0 {
		if s.ctx.Err() != nil {
			t.Fatal("it is not given up")
		}
		time.Sleep(time.Millisecond)
	}
	if reason := service.reasons()[0]; !strings.Contains(reason, "4.15") {
		t.Errorf("aborted for %q", reason)
	}
}

func (f *fakeService) reasons() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.aborted
}

// A standard client over DTLS, from bootstrap to registration.
func TestAStandardClientRegistersWithWhatItWasGiven(t *testing.T) {
	service := &fakeService{}
	n := newNetwork(t, service)
	service.grants = []*cloud.BootstrapGrant{n.newGrant()}
	c := newStandardClient(t, senml.FormatCBOR)
	developer, key := n.issue("none yet")
	d := n.dial(n.bootstrapAddress, pair(developer, key), n.bootstrapCA.Certificate, c.handle)
	d.expect(n.ctx, coap.POST, "bs?ep=endpoint&pct=112", "", coap.Changed)
	<-d.session.Done()
	private, err := pki.ParsePrivateKey([]byte(c.value("/0/1/5")))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCertificate([]byte(c.value("/0/1/4")))
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(c.value("/0/1/0"), "coaps://")
	registered := n.dial(address, pair(bytes.Clone([]byte(c.value("/0/1/3"))), private), ca, nil)
	registered.expect(n.ctx, coap.POST, "rd?lwm2m=1.1&lt=86400&b=U", `</>;rt="oma.lwm2m";ct=112,</1/0>,</3/0>`, coap.Created)
}

func FuzzDiscovered(f *testing.F) {
	f.Add(`lwm2m="1.0",</0/0>,</3/0>`)
	f.Add(`</>;lwm2m=1.1,</0/7>;ssid=1;uri="coaps://old",</0/1>,</1/5>;ssid=1`)
	f.Fuzz(func(t *testing.T, text string) {
		links, _, err := parseDiscovered(text)
		if err != nil {
			return
		}
		place := placeFor(links, lwm2m.ObjectSecurity, defaultSecurityInstance)
		for _, link := range links {
			_, others := link.Attribute("ssid")
			if link.Target == "/0/"+fmt.Sprint(place) && !others && !ours(links, link.Target) {
				t.Fatalf("%q: the bootstrap server's account would be overwritten", text)
			}
		}
	})
}

// ours tells whether a target is named as our server's, too.
func ours(links []lwm2m.Link, target string) bool {
	return slices.ContainsFunc(links, func(link lwm2m.Link) bool {
		id, _ := link.Attribute("ssid")
		return link.Target == target && id == fmt.Sprint(cloud.ShortServerID)
	})
}
