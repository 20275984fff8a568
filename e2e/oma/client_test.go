package oma

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
	"mbl/internal/coap"
	"mbl/internal/credential"
	"mbl/internal/device"
	"mbl/internal/keystore"
)

// client is an LwM2M client played by the test on the real service: it answers
// what it is told to, and keeps what it was asked.
type client struct {
	t        *testing.T
	world    *world
	id       string // device id
	endpoint string
	dial     coap.DialConfig
	session  *coap.Session
	location []string
	asked    chan *coap.Request

	mu      sync.Mutex
	answers map[string]*coap.Response // by method and path; others are 4.04
}

// links are what the client registers: instances, as standard clients do, and
// the resources of some.
const links = `</>;rt="oma.lwm2m";ct="60 110 112 11542 11543",</1/0>,</3/0>,</3303/0/5700>;obs`

// newClient makes a client with credentials of its own, connected to the
// management server and not yet registered.
func newClient(t *testing.T, w *world) *client {
	t.Helper()
	store := w.bootstrapped(t)
	c := &client{
		t: t, world: w, id: device.ReadIdentity(store).DeviceID, endpoint: device.ReadIdentity(store).EndpointName,
		dial:  dialConfig(t, store),
		asked: make(chan *coap.Request, 16), answers: map[string]*coap.Response{},
	}
	c.connect()
	return c
}

// connect takes up a new session.
func (c *client) connect() {
	c.t.Helper()
	conn, err := coap.Dial(limit(c.t), strings.TrimPrefix(c.world.service.LwM2M, "coaps://"), c.dial)
	if err != nil {
		c.t.Fatal(err)
	}
	session := coap.NewSession(conn, c.handle, coap.SessionConfig{})
	go func() { _ = session.Serve(context.WithoutCancel(c.t.Context())) }()
	c.t.Cleanup(func() { _ = session.Close() })
	c.session = session
}

// registeredClient is a newClient that has registered.
func registeredClient(t *testing.T, w *world) *client {
	t.Helper()
	c := newClient(t, w)
	c.register("b=U")
	return c
}

// bootstrapped lets mbl-device's own code bootstrap a new device, and returns
// what it then has.
func (w *world) bootstrapped(t *testing.T) keystore.Store {
	t.Helper()
	store := keystore.NewMemory()
	contents := map[string][]byte{}
	for _, variable := range w.developer.Variables() {
		contents[variable.Name] = variable.Data
	}
	if err := device.ProvisionDeveloper(store, contents); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), stage.Patience)
	defer cancel()
	registered := false
	err := device.Run(ctx, device.Config{Store: store, Log: slog.New(slog.DiscardHandler), Report: func(state device.State) {
		if state.Registered {
			registered = true
			cancel()
		}
	}})
	if err != nil || !registered {
		t.Fatalf("a device could not bootstrap: %v", err)
	}
	return store
}

func dialConfig(t *testing.T, store keystore.Store) coap.DialConfig {
	t.Helper()
	item := func(name string) []byte {
		data, err := store.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	key, err := x509.ParseECPrivateKey(item("mbed.LwM2MDevicePrivateKey"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(item("mbed.LwM2MServerCACert"))
	if err != nil {
		t.Fatal(err)
	}
	return coap.DialConfig{
		Certificate: tls.Certificate{Certificate: [][]byte{item("mbed.LwM2MDeviceCert")}, PrivateKey: key},
		RootCA:      ca,
	}
}

func (c *client) handle(_ context.Context, req *coap.Request) *coap.Response {
	c.asked <- req
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := c.answers[req.Code.String()+" /"+strings.Join(req.Path, "/")]
	if answer == nil {
		return &coap.Response{Code: coap.NotFound}
	}
	return answer
}

// answer sets what the client answers to "GET /3/0/0".
func (c *client) answer(what string, response *coap.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[what] = response
}

// send sends a request of the client's and wants an answer with the code.
func (c *client) send(req *coap.Request, want coap.Code) *coap.Response {
	c.t.Helper()
	response, err := c.session.Do(limit(c.t), req)
	if err != nil || response.Code != want {
		c.t.Fatalf("%s /%s: %+v, %v; want %s", req.Code, strings.Join(req.Path, "/"), response, err, want)
	}
	return response
}

func (c *client) register(more ...string) {
	c.t.Helper()
	c.location = c.send(&coap.Request{
		Code: coap.POST, Path: []string{"rd"}, ContentFormat: new(uint16(40)), Payload: []byte(links),
		Query: append([]string{"ep=" + c.endpoint, "lt=300", "lwm2m=1.1"}, more...),
	}, coap.Created).LocationPath
}

func (c *client) update(query ...string) {
	c.t.Helper()
	c.send(&coap.Request{Code: coap.POST, Path: c.location, Query: query}, coap.Changed)
}

// received is the next request the server sent, which must be the one meant.
func (c *client) received(method coap.Code, path string) *coap.Request {
	c.t.Helper()
	select {
	case req := <-c.asked:
		if got := "/" + strings.Join(req.Path, "/"); req.Code != method || got != path {
			c.t.Fatalf("the server sent %s %s, want %s %s", req.Code, got, method, path)
		}
		return req
	case <-limit(c.t).Done():
		c.t.Fatalf("the server did not send %s %s", method, path)
		return nil
	}
}

// ask asks the client through the REST API.
func (c *client) ask(question stage.Question) stage.Answer {
	c.t.Helper()
	answer, err := c.world.channel.Ask(limit(c.t), c.id, question)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// state is what the directory says of the client.
func (c *client) state() string {
	c.t.Helper()
	var entry struct {
		State string `json:"state"`
	}
	if err := c.world.channel.Get(limit(c.t), "/v3/devices/"+c.id, &entry); err != nil {
		c.t.Fatal(err)
	}
	return entry.State
}

// world is a running service.
type world struct {
	service   *stage.Service
	channel   *stage.Channel
	developer *credential.Developer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	started := stagetest.Start(t)
	return &world{service: started.Service, channel: started.Channel, developer: started.Developer(t, "oma")}
}

func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stage.Patience)
	t.Cleanup(cancel)
	return ctx
}

// notify reports a value and waits for the acknowledgement; a Reset is an
// error.
func (c *client) notify(token []byte, number uint32, value string) error {
	observation := &coap.Request{Token: token, Path: strings.Split(temperature[1:], "/")}
	return c.session.Notify(limit(c.t), observation, &coap.Response{Code: coap.Content, Observe: &number, Payload: []byte(value)})
}

// reported waits for a value that the client reported to come out of the REST
// API.
func (c *client) reported(value string) {
	c.t.Helper()
	for {
		select {
		case notification := <-c.world.channel.Reported():
			if notification.Device == c.id && notification.Path == temperature && string(notification.Payload) == value {
				return
			}
		case <-limit(c.t).Done():
			c.t.Fatalf("%s is not reported", value)
		}
	}
}
