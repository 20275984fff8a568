//go:build openssl

package openssl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mbl/internal/coap"
	"mbl/internal/pki"
)

// site is a server and what a client needs to reach it.
type site struct {
	ca       *pki.Authority
	listener *Listener
	dial     DialConfig
}

func newSite(t *testing.T, cfg ListenConfig) *site {
	t.Helper()
	s := newAuthorities(t)
	if cfg.Certificate.PrivateKey == nil {
		cfg.Certificate = s.server(t)
	}
	s.listener = listen(t, "127.0.0.1:0", cfg)
	return s
}

// newAuthorities is a site without its listener.
func newAuthorities(t *testing.T) *site {
	t.Helper()
	ca, err := pki.NewAuthority("CA")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{ca: ca}
	s.dial.RootCA = ca.Certificate
	s.dial.Certificate = s.device(t, "device")
	return s
}

func listen(t *testing.T, address string, cfg ListenConfig) *Listener {
	t.Helper()
	listener, err := Listen(address, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func (s *site) server(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := s.ca.IssueServer("not the host's name", nil, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (s *site) device(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	names := pki.DeviceName{AccountID: "account", EndpointName: name, DeviceID: name}
	der, err := s.ca.IssueDevice(names, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (s *site) address() string { return s.listener.Addr().String() }

// connect dials and accepts.
func (s *site) connect(t *testing.T) (client, server *Conn) {
	t.Helper()
	client, err := Dial(limit(t), s.address(), s.dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, s.accept(t)
}

// accept takes a client that puts each message into a record.
func (s *site) accept(t *testing.T) *Conn {
	t.Helper()
	conn := s.acceptAny(t)
	conn.framing.UseRecords()
	return conn
}

// acceptAny takes a client that has yet to show how it frames its messages.
func (s *site) acceptAny(t *testing.T) *Conn {
	t.Helper()
	conn, err := s.listener.Accept(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*Conn)
}

func pass(t *testing.T, from, to coap.Conn, text string) {
	t.Helper()
	if err := from.WriteMessage([]byte(text)); err != nil {
		t.Fatal(err)
	}
	got, err := to.ReadMessage(limit(t))
	if err != nil || string(got) != text {
		t.Fatalf("read %d bytes, %v; want %d", len(got), err, len(text))
	}
}

// alive is how many engines the listener's connections hold.
func (s *site) alive() int64 {
	count := s.listener.original.(*libraryContext).alive.Load() + s.listener.modern.(*libraryContext).alive.Load()
	if s.listener.keys != nil {
		count += s.listener.keys.(*libraryContext).alive.Load()
	}
	return count
}

// socket connects without TLS.
func (s *site) socket(t *testing.T) *net.TCPConn {
	t.Helper()
	socket, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return socket.(*net.TCPConn)
}

func (m *Memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions)
}

var errStore = errors.New("store fails")

// failing is a SessionStore that can do nothing.
type failing struct{}

func (failing) Session(context.Context, []byte) ([]byte, error) { return nil, errStore }

func (failing) SaveSession(context.Context, []byte, []byte, time.Time) error { return errStore }

func (failing) DeleteSession(context.Context, []byte) error { return errStore }

// rubbish knows every session, wrongly.
type rubbish struct{ failing }

func (rubbish) Session(context.Context, []byte) ([]byte, error) { return []byte("rubbish"), nil }

type identityFiles struct{ certificate, key, ca, session string }

// files writes the client's identity and the CA as PEM files.
func (s *site) files(t *testing.T) identityFiles {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(s.dial.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return identityFiles{
		certificate: write("certificate.pem", "CERTIFICATE", s.dial.Certificate.Certificate[0]),
		key:         write("key.pem", "PRIVATE KEY", key),
		ca:          write("ca.pem", "CERTIFICATE", s.ca.Certificate.Raw),
		session:     filepath.Join(folder, "session.pem"),
	}
}
