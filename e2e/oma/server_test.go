// Package oma goes through the interoperability tests of OMA's Enabler Test
// Specification for LwM2M 1.1 (LightweightM2M-1.1-int-N). suite.md says for each
// which tests stand for it, and why some have none.
package oma

import (
	"bytes"
	"net/http"
	"slices"
	"testing"
	"time"

	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
	"mbl/internal/coap"
)

func TestMain(m *testing.M) { stagetest.Main(m) }

// TestServer is our service against a client played by the test; each subtest
// is named by what its id in the specification is about.
func TestServer(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]func(*testing.T, *world){
		"registration":                registration,
		"registration update":         registrationUpdate,
		"de-registration":             deRegistration,
		"registration update trigger": updateTrigger,
		"discarded update":            discardedUpdate,
		"lifetime extended":           lifetimeExtended,
		"queue mode":                  queueMode,
		"read in each format":         readInEachFormat,
		"write in each format":        writeInEachFormat,
		"security object":             securityObject,
		"read on each level":          readOnEachLevel,
		"write on each level":         writeOnEachLevel,
		"read without a format":       readWithoutFormat,
		"execute":                     execute,
		"write failure":               writeFailure,
		"discover":                    discover,
		"write attributes":            writeAttributes,
		"observe and cancel":          observeAndCancel,
		"cancel by reset":             cancelByReset,
		"send":                        sendIsNotServed,
	} {
		t.Run(name, func(t *testing.T) { test(t, w) })
	}
}

func registration(t *testing.T, w *world) {
	c := newClient(t, w)
	c.register("b=U")
	if state := c.state(); state != "registered" {
		t.Errorf("the device is %s", state)
	}
	if last := c.location[len(c.location)-1]; last != c.id {
		t.Errorf("the location %v does not end with the device id", c.location)
	}
	var resources []struct {
		URI        string `json:"uri"`
		Observable bool   `json:"obs"`
	}
	if err := w.channel.Get(limit(t), "/v2/endpoints/"+c.id, &resources); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(resources, func(r struct {
		URI        string `json:"uri"`
		Observable bool   `json:"obs"`
	},
	) bool {
		return r.URI == "/3303/0/5700" && r.Observable
	}) {
		t.Errorf("resources are %+v", resources)
	}
}

func registrationUpdate(t *testing.T, w *world) {
	c := registeredClient(t, w)
	c.update()
	c.update("lt=600")
	more := &coap.Request{Code: coap.POST, Path: c.location, ContentFormat: new(uint16(40)), Payload: []byte(links + ",</3303/1/5700>")}
	c.send(more, coap.Changed)
	c.answer("GET /3303/1/5700", &coap.Response{Code: coap.Content, Payload: []byte("21")})
	if answer := c.ask(stage.Question{Method: http.MethodGet, URI: "/3303/1/5700"}); answer.Status != 200 {
		t.Errorf("a new instance: %+v", answer)
	}
}

func deRegistration(t *testing.T, w *world) {
	c := registeredClient(t, w)
	c.send(&coap.Request{Code: coap.DELETE, Path: c.location}, coap.Deleted)
	if state := c.state(); state != "deregistered" {
		t.Errorf("the device is %s", state)
	}
	c.send(&coap.Request{Code: coap.POST, Path: c.location}, coap.NotFound)
}

func updateTrigger(t *testing.T, w *world) {
	c := registeredClient(t, w)
	c.answer("POST /1/0/8", &coap.Response{Code: coap.Changed})
	if answer := c.ask(stage.Question{Method: http.MethodPost, URI: "/1/0/8"}); answer.Status != 200 {
		t.Errorf("%+v", answer)
	}
	c.received(coap.POST, "/1/0/8")
	c.update()
}

// discardedUpdate: an update of a registration that the server does not know
// any more is answered so that the client registers.
func discardedUpdate(t *testing.T, w *world) {
	c := registeredClient(t, w)
	c.send(&coap.Request{Code: coap.DELETE, Path: c.location}, coap.Deleted)
	c.send(&coap.Request{Code: coap.POST, Path: c.location, Query: []string{"lt=300"}}, coap.NotFound)
	c.register("b=U")
	if state := c.state(); state != "registered" {
		t.Errorf("the device is %s", state)
	}
}

func lifetimeExtended(t *testing.T, w *world) {
	c := registeredClient(t, w)
	c.answer("PUT /1/0/1", &coap.Response{Code: coap.Changed})
	answer := c.ask(stage.Question{Method: http.MethodPut, URI: "/1/0/1", ContentType: "text/plain", Payload: []byte("900")})
	if written := c.received(coap.PUT, "/1/0/1"); answer.Status != 200 || string(written.Payload) != "900" {
		t.Errorf("%+v, written %q", answer, written.Payload)
	}
	c.update("lt=900")
}

// queueMode: a client that is not there is asked when it comes. Both ways to
// say so: a letter of the binding, and the parameter of LwM2M 1.1.
func queueMode(t *testing.T, w *world) {
	for _, binding := range [][]string{{"b=UQ"}, {"b=U", "Q"}} {
		c := newClient(t, w)
		c.register(binding...)
		c.answer("GET /3/0/0", &coap.Response{Code: coap.Content, Payload: []byte("maker")})
		c.update()
		_ = c.session.Close() // asleep
		<-c.session.Done()
		answered := make(chan stage.Answer, 1)
		go func() { answered <- c.ask(stage.Question{Method: http.MethodGet, URI: "/3/0/0"}) }()
		select {
		case answer := <-answered:
			t.Fatalf("%v: the sleeping client was not waited for: %+v", binding, answer)
		case <-time.After(asleep):
		}
		c.connect()
		c.update()
		c.received(coap.GET, "/3/0/0")
		if answer := <-answered; string(answer.Payload) != "maker" {
			t.Errorf("%v: %+v", binding, answer)
		}
	}
}

// asleep is long enough for a service that would not wait to say so.
const asleep = 500 * time.Millisecond

// The formats of LwM2M 1.1 core, section 7.4, and what each is called in HTTP.
var formats = []struct {
	name   string
	format uint16
	body   []byte
}{
	{"text/plain", 0, []byte("maker")},
	{"application/octet-stream", 42, []byte{0, 1, 0xff}},
	{"application/cbor", 60, []byte{0x65, 'm', 'a', 'k', 'e', 'r'}},
	{"application/senml+json", 110, []byte(`[{"bn":"/3/0/","n":"0","vs":"maker"}]`)},
	{"application/senml+cbor", 112, []byte{0x81, 0xa2, 0x21, 0x66, '/', '3', '/', '0', '/', '0', 0x03, 0x65, 'm', 'a', 'k', 'e', 'r'}},
	{"application/vnd.oma.lwm2m+tlv", 11542, []byte{0xc5, 0, 'm', 'a', 'k', 'e', 'r'}},
	{"application/vnd.oma.lwm2m+json", 11543, []byte(`{"bn":"/3/0/","e":[{"n":"0","sv":"maker"}]}`)},
}

func readInEachFormat(t *testing.T, w *world) {
	c := registeredClient(t, w)
	for _, f := range formats {
		c.answer("GET /3/0/0", &coap.Response{Code: coap.Content, ContentFormat: &f.format, Payload: f.body})
		answer := c.ask(stage.Question{Method: http.MethodGet, URI: "/3/0/0", Accept: f.name})
		req := c.received(coap.GET, "/3/0/0")
		if req.Accept == nil || *req.Accept != f.format {
			t.Errorf("%s is asked for as %v", f.name, req.Accept)
		}
		if answer.Status != 200 || answer.Type != f.name || !bytes.Equal(answer.Payload, f.body) {
			t.Errorf("%s: %+v", f.name, answer)
		}
	}
}

func writeInEachFormat(t *testing.T, w *world) {
	c := registeredClient(t, w)
	c.answer("PUT /3/0/15", &coap.Response{Code: coap.Changed})
	for _, f := range formats {
		answer := c.ask(stage.Question{Method: http.MethodPut, URI: "/3/0/15", ContentType: f.name, Payload: f.body})
		req := c.received(coap.PUT, "/3/0/15")
		if req.ContentFormat == nil || *req.ContentFormat != f.format || !bytes.Equal(req.Payload, f.body) {
			t.Errorf("%s is written as %v, %x", f.name, req.ContentFormat, req.Payload)
		}
		if answer.Status != 200 {
			t.Errorf("%s: %+v", f.name, answer)
		}
	}
}

// securityObject: clients do not register it, and what they do not register is
// not asked of them.
func securityObject(t *testing.T, w *world) {
	c := registeredClient(t, w)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost} {
		answer, err := w.channel.Ask(limit(t), c.id, stage.Question{Method: method, URI: "/0/0"})
		if err == nil && answer.Status < 400 {
			t.Errorf("%s /0/0: %+v", method, answer)
		}
	}
	select {
	case req := <-c.asked:
		t.Errorf("the client was sent %s %v", req.Code, req.Path)
	default:
	}
}

func readOnEachLevel(t *testing.T, w *world) {
	c := registeredClient(t, w)
	for _, path := range []string{"/3", "/3/0", "/3/0/0", "/3/0/7/1"} {
		c.answer("GET "+path, &coap.Response{Code: coap.Content, ContentFormat: new(uint16(11542)), Payload: []byte{0xc1, 0, 1}})
		answer := c.ask(stage.Question{Method: http.MethodGet, URI: path})
		c.received(coap.GET, path)
		if answer.Status != 200 || !bytes.Equal(answer.Payload, []byte{0xc1, 0, 1}) {
			t.Errorf("%s: %+v", path, answer)
		}
	}
}

// writeOnEachLevel: PUT replaces, POST to an instance changes part of it.
func writeOnEachLevel(t *testing.T, w *world) {
	c := registeredClient(t, w)
	for _, write := range []struct {
		method string
		code   coap.Code
		path   string
	}{
		{http.MethodPost, coap.POST, "/1/0"},
		{http.MethodPut, coap.PUT, "/1/0"},
		{http.MethodPut, coap.PUT, "/1/0/2"},
		{http.MethodPut, coap.PUT, "/3/0/11/0"},
	} {
		c.answer(write.method+" "+write.path, &coap.Response{Code: coap.Changed})
		body := []byte{0xc1, 2, 60}
		answer := c.ask(stage.Question{
			Method: write.method, URI: write.path, ContentType: "application/vnd.oma.lwm2m+tlv", Payload: body,
		})
		req := c.received(write.code, write.path)
		if answer.Status != 200 || !bytes.Equal(req.Payload, body) {
			t.Errorf("%s %s: %+v, sent %x", write.method, write.path, answer, req.Payload)
		}
	}
}

func readWithoutFormat(t *testing.T, w *world) {
	c := registeredClient(t, w)
	c.answer("GET /3", &coap.Response{Code: coap.Content, ContentFormat: new(uint16(112)), Payload: []byte{0x80}})
	answer := c.ask(stage.Question{Method: http.MethodGet, URI: "/3"})
	if req := c.received(coap.GET, "/3"); req.Accept != nil {
		t.Errorf("format %d was asked for", *req.Accept)
	}
	if answer.Type != "application/senml+cbor" {
		t.Errorf("%+v", answer)
	}
}

func execute(t *testing.T, w *world) {
	c := registeredClient(t, w)
	c.answer("POST /3/0/4", &coap.Response{Code: coap.Changed})
	answer := c.ask(stage.Question{Method: http.MethodPost, URI: "/3/0/4"})
	if req := c.received(coap.POST, "/3/0/4"); answer.Status != 200 || len(req.Payload) != 0 || req.ContentFormat != nil {
		t.Errorf("%+v, sent %+v", answer, req)
	}
}

// writeFailure: what the client refuses is the caller's to know.
func writeFailure(t *testing.T, w *world) {
	c := registeredClient(t, w)
	for code, status := range map[coap.Code]int{
		coap.MethodNotAllowed: 405, coap.BadRequest: 400, coap.NotFound: 404, coap.Unauthorized: 401, coap.UnsupportedContentFormat: 415,
	} {
		c.answer("PUT /3/0/0", &coap.Response{Code: code})
		answer := c.ask(stage.Question{Method: http.MethodPut, URI: "/3/0/0", ContentType: "text/plain", Payload: []byte("other")})
		if answer.Status != status {
			t.Errorf("%s: %+v", code, answer)
		}
	}
}

func discover(t *testing.T, w *world) {
	c := registeredClient(t, w)
	found := []byte("</3>;ver=1.0,</3/0>;pmin=10,</3/0/0>")
	for _, path := range []string{"/3", "/3/0", "/3/0/0"} {
		c.answer("GET "+path, &coap.Response{Code: coap.Content, ContentFormat: new(uint16(40)), Payload: found})
		answer := c.ask(stage.Question{Method: http.MethodGet, URI: path, Accept: "application/link-format"})
		if req := c.received(coap.GET, path); req.Accept == nil || *req.Accept != 40 {
			t.Errorf("%s is no Discover: %+v", path, req)
		}
		if answer.Type != "application/link-format" || !bytes.Equal(answer.Payload, found) {
			t.Errorf("%s: %+v", path, answer)
		}
	}
}

func writeAttributes(t *testing.T, w *world) {
	c := registeredClient(t, w)
	for _, path := range []string{"/3303/0/5700", "/3/0/7", "/3/0/7/1", "/3/0"} {
		c.answer("PUT "+path, &coap.Response{Code: coap.Changed})
		answer := c.ask(stage.Question{Method: http.MethodPut, URI: path + "?pmin=10&pmax=60&gt=45.5"})
		req := c.received(coap.PUT, path)
		if answer.Status != 200 || !slices.Equal(req.Query, []string{"pmin=10", "pmax=60", "gt=45.5"}) || len(req.Payload) > 0 {
			t.Errorf("%s: %+v, sent %+v", path, answer, req)
		}
	}
}

const temperature = "/3303/0/5700"

// observed makes the service observe a resource of the client, which reports a
// first value, and returns the observation's token.
func observed(t *testing.T, w *world, c *client) []byte {
	t.Helper()
	c.answer("GET "+temperature, &coap.Response{Code: coap.Content, Observe: new(uint32(1)), Payload: []byte("20")})
	if err := w.channel.Subscribe(limit(t), c.id, temperature); err != nil {
		t.Fatal(err)
	}
	req := c.received(coap.GET, temperature)
	if req.Observe == nil || *req.Observe != 0 {
		t.Fatalf("no observation is asked for: %+v", req)
	}
	return req.Token
}

func observeAndCancel(t *testing.T, w *world) {
	c := registeredClient(t, w)
	token := observed(t, w, c)
	for n, value := range []string{"21", "22", "23"} {
		if err := c.notify(token, uint32(n+2), value); err != nil {
			t.Fatal(err)
		}
		c.reported(value)
	}
	if err := w.channel.Unsubscribe(limit(t), c.id, temperature); err != nil {
		t.Fatal(err)
	}
	req := c.received(coap.GET, temperature)
	if req.Observe == nil || *req.Observe != 1 || !bytes.Equal(req.Token, token) {
		t.Errorf("the observation is not cancelled: %+v", req)
	}
}

// cancelByReset: what nobody observes any more is answered with a Reset.
func cancelByReset(t *testing.T, w *world) {
	c := registeredClient(t, w)
	token := observed(t, w, c)
	if err := w.channel.Unsubscribe(limit(t), c.id, temperature); err != nil {
		t.Fatal(err)
	}
	c.received(coap.GET, temperature)
	if err := c.notify(token, 9, "30"); err == nil {
		t.Error("a notification nobody wants was acknowledged")
	}
}

func sendIsNotServed(t *testing.T, w *world) {
	c := registeredClient(t, w)
	c.send(&coap.Request{Code: coap.POST, Path: []string{"dp"}, ContentFormat: new(uint16(110)), Payload: []byte(`[{"n":"/3/0/0","vs":"x"}]`)}, coap.NotFound)
}
