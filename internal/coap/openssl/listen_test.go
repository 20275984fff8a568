//go:build openssl

package openssl

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"mbl/internal/coap"
)

// verifying is a configuration with a VerifyPeer.
func verifying(check func(*x509.Certificate) error) ListenConfig {
	return ListenConfig{ListenConfig: coap.ListenConfig{
		VerifyPeer: func(_ context.Context, c *x509.Certificate) error { return check(c) },
	}}
}

// The original client sets its clock from the first four bytes of
// ServerHello.random.
func TestServerHelloTellsTheTimeToOriginalClients(t *testing.T) {
	s := newSite(t, ListenConfig{})
	for name, message := range recordedHellos(t) {
		socket := s.socket(t)
		if _, err := socket.Write(inRecords(message, maxMessage)); err != nil {
			t.Fatal(err)
		}
		records := recordReader{source: socket}
		answer, err := records.next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		const typeServerHello = 2
		body := answer[recordHeaderSize:]
		if answer[0] != recordHandshake || body[0] != typeServerHello {
			t.Fatalf("%s: answered %x", name, answer)
		}
		random := body[handshakeHeaderSize+2:]
		sent := time.Unix(int64(binary.BigEndian.Uint32(random)), 0)
		if age := time.Since(sent); age < -time.Minute || age > time.Minute {
			t.Errorf("%s: ServerHello.random says %s", name, sent)
		}
		sessionID := random[32]
		suite := binary.BigEndian.Uint16(random[32+1+sessionID:])
		if sessionID != 0 || Suite(suite) != CCM8 {
			t.Errorf("%s: session id of %d bytes, suite %04x", name, sessionID, suite)
		}
		socket.Close()
	}
}

func TestGoClientIsServed(t *testing.T) {
	s := newSite(t, ListenConfig{})
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.Certificate)
	client, err := tls.Dial("tcp", s.address(), &tls.Config{
		Certificates:       []tls.Certificate{s.dial.Certificate},
		InsecureSkipVerify: true,
		RootCAs:            roots,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server := s.accept(t)
	if _, err := client.Write([]byte("up")); err != nil {
		t.Fatal(err)
	}
	if got, err := server.ReadMessage(limit(t)); err != nil || string(got) != "up" {
		t.Fatalf("read %q, %v", got, err)
	}
	state := client.ConnectionState()
	if state.Version != tls.VersionTLS12 || Suite(state.CipherSuite) != GCM || server.Suite() != GCM {
		t.Errorf("version %x, suite %x", state.Version, state.CipherSuite)
	}
	_ = server.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read %v after close_notify", err)
	}
}

func TestRefusedClientIsToldWhy(t *testing.T) {
	refused := errors.New("unknown device")
	for name, c := range map[string]struct {
		choose func(error) Alert
		want   string
	}{
		"by default":   {nil, "unknown ca"},
		"as it is set": {func(error) Alert { return CertificateRevoked }, "certificate revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := verifying(func(c *x509.Certificate) error {
				if c.Subject.CommonName == "device" {
					return refused
				}
				return nil
			})
			cfg.Alert = c.choose
			cfg.Sessions = NewMemory(100)
			s := newSite(t, cfg)
			for _, s.dial.Suite = range []Suite{CCM8, GCM} {
				_, err := Dial(limit(t), s.address(), s.dial)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an alert %q", err, c.want)
				}
			}
			if n := cfg.Sessions.(*Memory).size(); n != 0 {
				t.Errorf("%d sessions were kept", n)
			}
			s.dial.Certificate = s.device(t, "another device")
			client, server := s.connect(t)
			pass(t, client, server, "welcome")
		})
	}
}

// shakeHandsOn runs a client's handshake on a socket of the test's own.
func shakeHandsOn(t *testing.T, socket *net.TCPConn, cfg DialConfig) error {
	t.Helper()
	tls, err := clientEngine(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer tls.free()
	_, err = shakeHands(&handshake{socket: socket, records: &recordReader{source: socket}, tls: tls}, cfg)
	return err
}

// A client of the 4.1 generation that is still writing when the socket closes
// is killed by SIGPIPE.
func TestRefusedClientMayFinishWriting(t *testing.T) {
	s := newSite(t, verifying(func(*x509.Certificate) error { return errors.New("no") }))
	socket := s.socket(t)
	if err := shakeHandsOn(t, socket, s.dial); err == nil {
		t.Fatal("let in")
	}
	for range 10 {
		if _, err := socket.Write(make([]byte, 200)); err != nil {
			t.Fatal(err)
		}
	}
	if err := socket.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := socket.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes, %v: the server did not wait for the end", n, err)
	}
}

func TestServerReadsOnAfterItsLastWord(t *testing.T) {
	client, server := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lastWord(server, UnknownCA.record(), time.Minute)
	}()
	alert := make([]byte, 7)
	if _, err := io.ReadFull(client, alert); err != nil {
		t.Fatal(err)
	}
	if alert[6] != 48 {
		t.Errorf("alert %x", alert)
	}
	if _, err := client.Write(make([]byte, 300)); err != nil { // a pipe needs a reader
		t.Errorf("the server stopped reading: %v", err)
	}
	client.Close()
	<-ended
}

func TestClientsWithoutTheRightKeyGetAnAlert(t *testing.T) {
	s := newSite(t, ListenConfig{})
	selfSigned := func(curve elliptic.Curve) tls.Certificate {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	stolen := selfSigned(elliptic.P256())
	stolen.Certificate = s.dial.Certificate.Certificate
	for name, certificates := range map[string][]tls.Certificate{
		"no certificate":        nil,
		"a P-384 key":           {selfSigned(elliptic.P384())},
		"another's certificate": {stolen},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := tls.Dial("tcp", s.address(), &tls.Config{
				InsecureSkipVerify: true,
				MaxVersion:         tls.VersionTLS12,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if len(certificates) == 0 {
						return &tls.Certificate{}, nil
					}
					return &certificates[0], nil
				},
			})
			if err == nil {
				client.Close()
				t.Fatal("let in")
			}
			if !strings.Contains(err.Error(), "remote error") {
				t.Errorf("no alert: %v", err)
			}
		})
	}
	client, server := s.connect(t)
	pass(t, client, server, "up")
}

func TestUnfinishedHandshakesAndGarbageHoldUpNobody(t *testing.T) {
	s := newSite(t, ListenConfig{})
	hello := inRecords(helloWithoutSession(t), maxMessage)
	for _, first := range [][]byte{hello, {}, {22}, []byte("GET / HTTP/1.1\r\n"), hello[:40], make([]byte, 3000)} {
		if _, err := s.socket(t).Write(first); err != nil {
			t.Fatal(err)
		}
	}
	client, server := s.connect(t)
	pass(t, client, server, "up")
}

func TestStrangersWithMalformedHellosAreLeft(t *testing.T) {
	s := newSite(t, ListenConfig{})
	socket := s.socket(t)
	if _, err := socket.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := socket.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestSlowHandshakesEnd(t *testing.T) {
	s := newSite(t, ListenConfig{ListenConfig: coap.ListenConfig{HandshakeTimeout: 20 * time.Millisecond}})
	socket := s.socket(t)
	if _, err := socket.Write(inRecords(helloWithoutSession(t), maxMessage)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, socket) // ends when the server closes
}

// Devices that come all at once wait; closing them would make original ones
// bootstrap again.
func TestOverloadMakesClientsWait(t *testing.T) {
	for name, cfg := range map[string]ListenConfig{
		"one handshake at a time":     {ListenConfig: coap.ListenConfig{MaxHandshakes: 1}},
		"one handshake of an address": {ListenConfig: coap.ListenConfig{Limits: coap.Limits{MaxHandshakesPerAddress: 1}}},
		"one connection accepted":     {ListenConfig: coap.ListenConfig{Limits: coap.Limits{MaxUnfinished: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, cfg)
			blocker := s.socket(t) // holds the only place
			const clients = 5
			ready := make(chan error)
			for range clients {
				go func() {
					client, err := Dial(limit(t), s.address(), s.dial)
					if err == nil {
						err = client.WriteMessage([]byte("here"))
						_ = client.Close()
					}
					ready <- err
				}()
			}
			blocker.Close()
			for range clients {
				server := s.accept(t)
				if _, err := server.ReadMessage(limit(t)); err != nil {
					t.Error(err)
				}
				if err := <-ready; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestAcceptEnds(t *testing.T) {
	s := newSite(t, ListenConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.listener.Accept(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		_ = s.listener.Close()
	}
	if _, err := s.listener.Accept(limit(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestClosingTheListenerEndsHandshakesAlone(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t)
	waiting := s.socket(t)
	if _, err := waiting.Write(inRecords(helloWithoutSession(t), maxMessage)); err != nil {
		t.Fatal(err)
	}
	_ = s.listener.Close()
	_, _ = io.Copy(io.Discard, waiting) // ends when the server closes
	pass(t, client, server, "up")
	pass(t, server, client, "down")
	_ = server.Close()
	if n := s.alive(); n != 0 {
		t.Errorf("%d connections left in OpenSSL's memory", n)
	}
}

func TestKeysThatDoNotFitAreRefusedAtOnce(t *testing.T) {
	s := newAuthorities(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := s.server(t)
	for name, certificate := range map[string]tls.Certificate{
		"no certificate":  {PrivateKey: good.PrivateKey},
		"no key":          {Certificate: good.Certificate},
		"another's key":   {Certificate: good.Certificate, PrivateKey: s.server(t).PrivateKey},
		"P-384":           {Certificate: good.Certificate, PrivateKey: p384},
		"no certificates": {Certificate: [][]byte{{1, 2, 3}}, PrivateKey: good.PrivateKey},
		"broken chain":    {Certificate: append(good.Certificate, []byte{1, 2, 3}), PrivateKey: good.PrivateKey},
	} {
		listener, err := Listen("127.0.0.1:0", ListenConfig{ListenConfig: coap.ListenConfig{Certificate: certificate}})
		if err == nil {
			_ = listener.Close()
			t.Errorf("%s: listens", name)
		}
	}
}
