package coap

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
)

// authority is a CA for tests.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

var (
	distantPast   = time.Unix(0, 0)
	distantFuture = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	return newKeyOn(t, elliptic.P256())
}

func newKeyOn(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"},
		NotBefore: distantPast, NotAfter: distantFuture,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key}
}

func (a authority) issue(t *testing.T, name string, notBefore, notAfter time.Time) tls.Certificate {
	t.Helper()
	return a.issueTo(t, name, newKey(t), notBefore, notAfter)
}

func (a authority) issueTo(t *testing.T, name string, key *ecdsa.PrivateKey, notBefore, notAfter time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: notBefore, NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// site is a server and what a client needs to reach it.
type site struct {
	ca       authority
	listener *Listener
	dial     DialConfig
}

func newSite(t *testing.T, cfg ListenConfig) *site {
	t.Helper()
	ca := newAuthority(t)
	if cfg.Certificate.PrivateKey == nil {
		cfg.Certificate = ca.issue(t, "not the host's name", distantPast, distantFuture)
	}
	listener, err := Listen("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return &site{
		ca:       ca,
		listener: listener,
		dial:     DialConfig{Certificate: ca.issue(t, "device", distantPast, distantFuture), RootCA: ca.certificate},
	}
}

func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// connect dials and accepts.
func (s *site) connect(t *testing.T, address string) (client, server Conn) {
	t.Helper()
	accepted := make(chan Conn, 1)
	go func() {
		conn, err := s.listener.Accept(limit(t))
		if err != nil {
			t.Error(err)
		}
		accepted <- conn
	}()
	client, err := Dial(limit(t), address, s.dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server = <-accepted
	t.Cleanup(func() { _ = server.Close() })
	return client, server
}

func pass(t *testing.T, from, to Conn, text string) {
	t.Helper()
	if err := from.WriteMessage([]byte(text)); err != nil {
		t.Fatal(err)
	}
	got, err := to.ReadMessage(limit(t))
	if err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got, err, text)
	}
}

func TestBothEndsProveTheirCertificates(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t, s.listener.Addr().String())
	pass(t, client, server, "up")
	pass(t, server, client, "down")
	if name := server.PeerCertificate().Subject.CommonName; name != "device" {
		t.Errorf("the server sees %q", name)
	}
	if name := client.PeerCertificate().Subject.CommonName; name != "not the host's name" {
		t.Errorf("the client sees %q", name)
	}
}

func TestEitherSuiteIsServed(t *testing.T) {
	for _, suite := range []dtls.CipherSuiteID{
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	} {
		t.Run(suite.String(), func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			trust := func(*x509.Certificate, []*x509.Certificate) error { return nil }
			options := append(clientOptions(s.dial, trust), dtls.WithCipherSuites(suite))
			client, err := dtls.ClientWithOptions(socket, s.listener.Addr(), options...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			if err := client.HandshakeContext(limit(t)); err != nil {
				t.Fatal(err)
			}
			state, _ := client.ConnectionState()
			if state.CipherSuiteID != suite {
				t.Errorf("negotiated %s", state.CipherSuiteID)
			}
			server, err := s.listener.Accept(limit(t))
			if err != nil {
				t.Fatal(err)
			}
			_ = server.Close()
		})
	}
}

func TestClosingTellsThePeer(t *testing.T) {
	for name, swap := range map[string]bool{"server closes": false, "client closes": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			other, closing := s.connect(t, s.listener.Addr().String())
			if swap {
				other, closing = closing, other
			}
			if err := closing.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := other.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
				t.Errorf("the other end reads %v", err)
			}
			if _, err := closing.ReadMessage(limit(t)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the closed end reads %v", err)
			}
			if err := closing.WriteMessage([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the closed end writes: %v", err)
			}
		})
	}
}

func TestReadingGoesOnAfterACancelledRead(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t, s.listener.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := server.ReadMessage(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	pass(t, client, server, "still here")
}

func TestRefusedClientCannotConnectAndOthersCan(t *testing.T) {
	s := newSite(t, ListenConfig{VerifyPeer: func(_ context.Context, c *x509.Certificate) error {
		if c.Subject.CommonName != "device" {
			return errors.New("unknown")
		}
		return nil
	}})
	stranger := s.dial
	stranger.Certificate = s.ca.issue(t, "stranger", distantPast, distantFuture)
	if _, err := Dial(limit(t), s.listener.Addr().String(), stranger); !errors.Is(err, ErrRefused) {
		t.Fatalf("got %v", err)
	}
	s.connect(t, s.listener.Addr().String())
}

func TestClientWithAKeyOnAnotherCurveIsRefused(t *testing.T) {
	s := newSite(t, ListenConfig{})
	cfg := s.dial
	cfg.Certificate = s.ca.issueTo(t, "device", newKeyOn(t, elliptic.P384()), distantPast, distantFuture)
	if _, err := Dial(limit(t), s.listener.Addr().String(), cfg); !errors.Is(err, ErrRefused) {
		t.Fatalf("got %v", err)
	}
}

func TestServerOfAnotherCAIsRefused(t *testing.T) {
	s := newSite(t, ListenConfig{})
	cfg := s.dial
	cfg.RootCA = newAuthority(t).certificate
	if _, err := Dial(limit(t), s.listener.Addr().String(), cfg); !errors.Is(err, ErrUntrusted) {
		t.Fatalf("got %v", err)
	}
}

func TestServersValidityIsCheckedOnlyWithAClock(t *testing.T) {
	ca := newAuthority(t)
	begin := time.Now().Add(time.Hour)
	s := newSite(t, ListenConfig{Certificate: ca.issue(t, "server", begin, begin.Add(time.Hour))})
	s.dial.RootCA = ca.certificate
	s.connect(t, s.listener.Addr().String())

	withClock := s.dial
	withClock.Now = time.Now
	if _, err := Dial(limit(t), s.listener.Addr().String(), withClock); !errors.Is(err, ErrUntrusted) {
		t.Fatalf("got %v", err)
	}
}

func TestDialingWhereNobodyListensFails(t *testing.T) {
	s := newSite(t, ListenConfig{})
	address := s.listener.Addr().String()
	_ = s.listener.Close()
	if _, err := Dial(limit(t), address, s.dial); err == nil || errors.Is(err, ErrRefused) || errors.Is(err, ErrUntrusted) {
		t.Fatalf("got %v", err)
	}
}

func TestAcceptEnds(t *testing.T) {
	s := newSite(t, ListenConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.listener.Accept(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_ = s.listener.Close()
	if _, err := s.listener.Accept(limit(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestAcceptedConnectionsOutliveTheListener(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t, s.listener.Addr().String())
	_ = s.listener.Close()
	pass(t, client, server, "up")
	pass(t, server, client, "down")
}

func TestUnfinishedHandshakesAndGarbageHoldUpNobody(t *testing.T) {
	s := newSite(t, ListenConfig{})
	address := s.listener.Addr().String()
	hello := recordHello(t)
	for _, first := range [][]byte{hello, {}, {22}, []byte("GET / HTTP/1.1\r\n"), hello[:40], make([]byte, 3000)} {
		socket, err := net.Dial("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = socket.Close() }()
		if _, err := socket.Write(first); err != nil {
			t.Fatal(err)
		}
	}
	client, server := s.connect(t, address)
	pass(t, client, server, "up")
}

// A first datagram may come from anyone, under any address.
func TestFirstDatagramsWithoutMoreDoNotKeepEveryoneOut(t *testing.T) {
	s := newSite(t, ListenConfig{MaxHandshakes: 2, HandshakeTimeout: time.Hour, StalledAfter: time.Millisecond})
	address := s.listener.Addr().String()
	hello := recordHello(t)
	for range 5 {
		socket, err := net.Dial("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = socket.Close() }()
		if _, err := socket.Write(hello); err != nil {
			t.Fatal(err)
		}
	}
	client, server := s.connect(t, address)
	pass(t, client, server, "up")
}

// recordHello is the first datagram of a client.
func recordHello(t *testing.T) []byte {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := newSite(t, ListenConfig{})
	go func() { _, _ = Dial(ctx, socket.LocalAddr().String(), s.dial) }()
	buffer := make([]byte, 4096)
	n, _, err := socket.ReadFrom(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return buffer[:n]
}

// relay stands between a client and a server, records what the server sends,
// and can change the address the server sees the client at.
type relay struct {
	t        *testing.T
	front    net.PacketConn // towards the client
	mu       sync.Mutex
	back     net.Conn // towards the server
	client   net.Addr
	recorded [][]byte

	up   func(datagram []byte) [][]byte // what the server gets in place of a datagram; nil: itself
	down func(datagram []byte) [][]byte // likewise the client
}

func newRelay(t *testing.T, server string) *relay {
	t.Helper()
	front, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, front: front}
	r.move(server)
	t.Cleanup(func() {
		_ = front.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		_ = r.back.Close()
	})
	go r.forward()
	return r
}

func (r *relay) address() string { return r.front.LocalAddr().String() }

func (r *relay) move(server string) {
	back, err := net.Dial("udp", server)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.back != nil {
		_ = r.back.Close()
	}
	r.back = back
	go r.backward(back)
}

func (r *relay) forward() {
	buffer := make([]byte, 4096)
	for {
		n, client, err := r.front.ReadFrom(buffer)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.client = client
		for _, datagram := range through(r.up, buffer[:n]) {
			_, _ = r.back.Write(datagram)
		}
		r.mu.Unlock()
	}
}

func (r *relay) backward(back net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := back.Read(buffer)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.recorded = append(r.recorded, slices.Clone(buffer[:n]))
		for _, datagram := range through(r.down, buffer[:n]) {
			_, _ = r.front.WriteTo(datagram, r.client)
		}
		r.mu.Unlock()
	}
}

func through(filter func([]byte) [][]byte, datagram []byte) [][]byte {
	if filter == nil {
		return [][]byte{datagram}
	}
	return filter(slices.Clone(datagram))
}

// filter changes what passes from now on.
func (r *relay) filter(up, down func([]byte) [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up, r.down = up, down
}

// inject sends the server datagrams from where it sees the client.
func (r *relay) inject(datagrams ...[]byte) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, datagram := range datagrams {
		if _, err := r.back.Write(datagram); err != nil {
			r.t.Fatal(err)
		}
	}
}

// firstHandshakes returns the body of the first handshake message in each
// plaintext datagram of the server, by message type (RFC 6347 §4.2.2: a record
// header of 13 bytes, a handshake header of 12).
func (r *relay) firstHandshakes() map[byte][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[byte][]byte{}
	for _, datagram := range r.recorded {
		if len(datagram) > 25 && datagram[0] == 22 && datagram[4] == 0 {
			found[datagram[13]] = datagram[25:]
		}
	}
	return found
}

// The original client sets its clock from the first four bytes of
// ServerHello.random.
func TestServerHelloCarriesTheTimeAfterACookie(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	s.connect(t, r.address())
	const helloVerifyRequest, serverHello = 3, 2
	handshakes := r.firstHandshakes()
	if handshakes[helloVerifyRequest] == nil {
		t.Error("no cookie was asked for")
	}
	hello := handshakes[serverHello]
	if hello == nil {
		t.Fatal("no ServerHello seen")
	}
	sent := time.Unix(int64(binary.BigEndian.Uint32(hello[2:])), 0)
	if age := time.Since(sent); age < -time.Minute || age > time.Minute {
		t.Errorf("ServerHello.random says %s", sent)
	}
}

func TestClientThatMovesKeepsItsConnection(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	pass(t, client, server, "from home")
	before := server.RemoteAddr().String()
	r.move(s.listener.Addr().String())
	pass(t, client, server, "from elsewhere")
	pass(t, server, client, "found you")
	if server.RemoteAddr().String() == before {
		t.Error("the server still sees the old address")
	}
}
