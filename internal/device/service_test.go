package device_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mbl/internal/coap"
	"mbl/internal/coap/coaptest"
	"mbl/internal/device"
	"mbl/internal/keystore"
	"mbl/internal/lwm2m"
	"mbl/internal/pki"
)

const (
	bootstrapAddress = "bootstrap.example:5684"
	lwm2mAddress     = "lwm2m.example:5685"
)

// service plays a bootstrap and an LwM2M server, and records what devices do.
type service struct {
	t                          *testing.T
	patience                   time.Duration // of wait
	bootstrapCA, lwm2mCA, devs *pki.Authority

	mu           sync.Mutex
	events       []string
	changed      chan struct{}
	bootstraps   int
	registration *coap.Request              // the last
	session      *coap.Session              // the last with the LwM2M server
	lose         func(message []byte) bool  // of the device's messages to the LwM2M server; nil: none
	loseGrant    bool                       // the answer to the request for a bootstrap gets lost
	loseFinish   int                        // so many of the device's answers to the bootstrap's end get lost
	finishing    bool                       // the bootstrap's end has been sent
	staysOpen    bool                       // the bootstrap server leaves the closing to the device
	dialError    func(address string) error // nil: connect
	onRegister   func() coap.Code           // nil: 2.01
	onUpdate     func() coap.Code           // nil: 2.04
	registerFor  time.Duration              // how long a registration takes
	updates      []*coap.Request
	grant        func(*lwm2m.Security) *lwm2m.Security // nil: as it is
	lwm2mURI     string                                // in grants
	writeServer  []lwm2m.TLV                           // written to object 1
}

func newService(t *testing.T) *service {
	s := &service{t: t, patience: time.Minute, changed: make(chan struct{}), lwm2mURI: "coaps://" + lwm2mAddress + "?aid=" + accountID}
	for name, authority := range map[string]**pki.Authority{
		"bootstrap CA": &s.bootstrapCA, "LwM2M CA": &s.lwm2mCA, "device CA": &s.devs,
	} {
		var err error
		*authority, err = pki.NewAuthority(name)
		must(t, err)
	}
	return s
}

func (s *service) kit(t *testing.T) developerKit {
	return newKit(t, "coaps://"+bootstrapAddress+"?aid="+accountID, s.bootstrapCA.Certificate.Raw)
}

// record notes an event for wait.
func (s *service) record(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, fmt.Sprintf(format, args...))
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait waits until exactly these events have happened since the last wait.
func (s *service) wait(events ...string) {
	s.t.Helper()
	for {
		s.mu.Lock()
		got, changed := slices.Clone(s.events), s.changed
		if len(got) >= len(events) {
			s.events = s.events[len(events):]
		}
		s.mu.Unlock()
		if len(got) >= len(events) {
			if !slices.Equal(got[:len(events)], events) {
				s.t.Fatalf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(events, "\n"))
			}
			return
		}
		select {
		case <-changed:
		case <-time.After(s.patience):
			s.t.Fatalf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(events, "\n"))
		}
	}
}

// silent fails if anything happened since the last wait.
func (s *service) silent() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) > 0 {
		s.t.Errorf("unexpected events\n%s", strings.Join(s.events, "\n"))
	}
}

// dial connects a device to the servers in memory.
func (s *service) dial(_ context.Context, address string, cfg coap.DialConfig) (coap.Conn, error) {
	s.mu.Lock()
	refuse := s.dialError
	s.mu.Unlock()
	if refuse != nil {
		if err := refuse(address); err != nil {
			s.record("no connection to %s", address)
			return nil, err
		}
	}
	ours, theirs := coaptest.Pipe()
	ours.Peer = cfg.Certificate.Leaf
	if address == bootstrapAddress {
		ours.Lose, theirs.Lose = s.losesGrant, s.losesFinish
		go s.serveBootstrap(ours)
		return theirs, nil
	}
	theirs.Lose = s.loses
	go s.serveLwM2M(ours)
	return theirs, nil
}

func (s *service) loses(message []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lose != nil && s.lose(message)
}

func (s *service) losesGrant([]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.loseGrant
	s.loseGrant = false
	return lost
}

func (s *service) losesFinish([]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.finishing || s.loseFinish == 0 {
		return false
	}
	s.loseFinish--
	return true
}

func (s *service) serveBootstrap(conn coap.Conn) {
	var session *coap.Session
	session = coap.NewSession(conn, func(_ context.Context, req *coap.Request) *coap.Response {
		s.record("bootstrap %s", strings.Join(req.Query, " "))
		return &coap.Response{Code: coap.Changed, Then: func(ctx context.Context) {
			if s.writeAll(ctx, session); !s.staysOpen {
				_ = session.Close()
			}
		}}
	}, coap.SessionConfig{})
	_ = session.Serve(context.Background())
}

func (s *service) writeAll(ctx context.Context, session *coap.Session) {
	for _, write := range s.writes() {
		s.set(func() { s.finishing = write.Code == coap.POST })
		response, err := session.Do(ctx, write)
		if err != nil {
			s.record("bootstrap write failed: %v", err)
			return
		}
		if !response.Code.IsSuccess() {
			s.record("device answers %v to %v /%s", response.Code, write.Code, strings.Join(write.Path, "/"))
			return
		}
	}
}

func (s *service) writes() []*coap.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bootstraps++
	security := s.newGrant(fmt.Sprintf("device-%d", s.bootstraps))
	if s.grant != nil {
		security = s.grant(security)
	}
	payload, err := lwm2m.EncodeTLV(security.TLV(0))
	if err != nil {
		panic(err)
	}
	writes := []*coap.Request{
		{Code: coap.DELETE, Path: []string{"0"}},
		{Code: coap.PUT, Path: []string{"0"}, ContentFormat: format(lwm2m.FormatTLV), Payload: payload},
	}
	if s.writeServer != nil {
		payload, err := lwm2m.EncodeTLV(lwm2m.TLV{Kind: lwm2m.ObjectInstance, Children: s.writeServer})
		if err != nil {
			panic(err)
		}
		writes = append(writes, &coap.Request{Code: coap.PUT, Path: []string{"1"}, ContentFormat: format(lwm2m.FormatOldTLV), Payload: payload})
	}
	return append(writes, &coap.Request{Code: coap.POST, Path: []string{"bs"}})
}

func (s *service) newGrant(deviceID string) *lwm2m.Security {
	key, err := pki.NewKey()
	if err != nil {
		panic(err)
	}
	return &lwm2m.Security{
		ServerURI: s.lwm2mURI, Mode: lwm2m.SecurityModeCertificate, ShortServerID: 1,
		ClientCertificate: s.issueDevice(deviceID, key), ServerCA: s.lwm2mCA.Certificate.Raw, PrivateKey: sec1(key),
	}
}

func (s *service) issueDevice(deviceID string, key *ecdsa.PrivateKey) []byte {
	name := pki.DeviceName{AccountID: accountID, EndpointName: endpoint, DeviceID: deviceID}
	cert, err := s.devs.IssueDevice(name, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		panic(err)
	}
	return cert
}

func sec1(key *ecdsa.PrivateKey) []byte {
	der, err := pki.MarshalSEC1(key)
	if err != nil {
		panic(err)
	}
	return der
}

func (s *service) serveLwM2M(conn coap.Conn) {
	id := pki.DeviceNameOf(conn.PeerCertificate()).DeviceID
	session := coap.NewSession(conn, func(_ context.Context, req *coap.Request) *coap.Response {
		return s.answer(id, req)
	}, coap.SessionConfig{})
	s.mu.Lock()
	s.session = session
	s.mu.Unlock()
	_ = session.Serve(context.Background())
}

func (s *service) answer(id string, req *coap.Request) *coap.Response {
	location := []string{"rd", accountID, id}
	switch {
	case req.Code == coap.POST && slices.Equal(req.Path, []string{"rd"}):
		s.mu.Lock()
		s.registration = req
		takes := s.registerFor
		s.mu.Unlock()
		code := s.codeOf(&s.onRegister, coap.Created)
		if takes > 0 {
			s.record("registering %s", id)
			time.Sleep(takes)
		}
		s.record("register %s: %v", id, code)
		return &coap.Response{Code: code, LocationPath: location}
	case req.Code == coap.POST && slices.Equal(req.Path, location):
		s.set(func() { s.updates = append(s.updates, req) })
		code := s.codeOf(&s.onUpdate, coap.Changed)
		s.record("%s: %v", strings.Join(append([]string{"update " + id}, req.Query...), " "), code)
		return &coap.Response{Code: code}
	case req.Code == coap.DELETE && slices.Equal(req.Path, location):
		s.record("deregister %s", id)
		return &coap.Response{Code: coap.Deleted}
	default:
		s.record("unexpected %v /%s", req.Code, strings.Join(req.Path, "/"))
		return &coap.Response{Code: coap.NotFound}
	}
}

func (s *service) codeOf(hook *func() coap.Code, otherwise coap.Code) coap.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *hook == nil {
		return otherwise
	}
	return (*hook)()
}

// set changes the service's behaviour.
func (s *service) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// do sends a request to the device.
func (s *service) do(req *coap.Request) *coap.Response {
	s.t.Helper()
	s.mu.Lock()
	session := s.session
	s.mu.Unlock()
	response, err := session.Do(s.t.Context(), req)
	if err != nil {
		s.t.Fatalf("%v /%s: %v", req.Code, strings.Join(req.Path, "/"), err)
	}
	return response
}

// running is a device at work.
type running struct {
	store  keystore.Store
	log    *syncBuffer
	states chan device.State
	stop   func()
}

// start runs a device until stop or the test's end.
func start(t *testing.T, store keystore.Store, change func(*device.Config)) *running {
	r := &running{store: store, log: &syncBuffer{}, states: make(chan device.State, 100)}
	cfg := device.Config{
		Store: store, Version: "test",
		Log:    slog.New(slog.NewTextHandler(r.log, nil)),
		Random: func() float64 { return 0.5 },
		Report: func(state device.State) { r.states <- state },
	}
	change(&cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- device.Run(ctx, cfg) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Logf("the device's log:\n%s", r.log.String())
		}
	})
	return r
}

// waitRegistered waits until the device itself knows that it is registered.
func (r *running) waitRegistered(t *testing.T) {
	t.Helper()
	select {
	case state := <-r.states:
		if !state.Registered {
			t.Fatalf("state %+v", state)
		}
	case <-t.Context().Done():
	}
}

type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// listen serves both servers over real DTLS and returns their addresses.
// verify decides about LwM2M certificates.
func (s *service) listen(verify func(context.Context, *x509.Certificate) error) (bootstrap, lwm2m net.Addr) {
	return s.listenAs(s.bootstrapCA, nil, s.serveBootstrap), s.listenAs(s.lwm2mCA, verify, s.serveLwM2M)
}

func (s *service) listenAs(authority *pki.Authority, verify func(context.Context, *x509.Certificate) error, serve func(coap.Conn)) net.Addr {
	key, err := pki.NewKey()
	must(s.t, err)
	cert, err := authority.IssueServer("server", []string{"localhost"}, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	must(s.t, err)
	listener, err := coap.Listen("127.0.0.1:0", coap.ListenConfig{Certificate: tlsCertificate(cert, key), VerifyPeer: verify})
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept(ctx)
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		<-done
		_ = listener.Close()
	})
	return listener.Addr()
}

func format(f uint16) *uint16 { return &f }

func tlsCertificate(der []byte, key *ecdsa.PrivateKey) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
