//go:build openssl

package openssl

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

// restart closes the listener and opens another at the same place.
func (s *site) restart(t *testing.T, cfg ListenConfig) {
	t.Helper()
	address := s.address()
	if err := s.listener.Close(); err != nil {
		t.Fatal(err)
	}
	s.listener = listen(t, address, cfg)
}

func TestSessionIsResumedAlsoAfterARestart(t *testing.T) {
	for _, suite := range []Suite{CCM8, GCM} {
		t.Run(suite.String(), func(t *testing.T) {
			s := newAuthorities(t)
			cfg := ListenConfig{Sessions: NewMemory(100)}
			cfg.Certificate = s.server(t)
			s.listener = listen(t, "127.0.0.1:0", cfg)
			s.dial.Suite = suite
			first, server := s.connect(t)
			first.socket.Close() // without close_notify
			if _, err := server.ReadMessage(limit(t)); err == nil {
				t.Fatal("read something")
			}
			_ = server.Close()
			s.dial.Resume = first.Session()
			for _, restarted := range []bool{false, true} {
				if restarted {
					s.restart(t, cfg)
				}
				client, server := s.connect(t)
				if !client.Resumed() || !server.Resumed() || server.Suite() != suite {
					t.Errorf("after a restart %v: client resumed %v, server %v", restarted, client.Resumed(), server.Resumed())
				}
				if name := server.PeerCertificate().Subject.CommonName; name != "device" {
					t.Errorf("the server sees %q", name)
				}
				pass(t, client, server, "up")
				pass(t, server, client, "down")
			}
		})
	}
}

func TestLostSessionMakesAFullHandshake(t *testing.T) {
	s := newAuthorities(t)
	cfg := ListenConfig{Sessions: NewMemory(100)}
	cfg.Certificate = s.server(t)
	s.listener = listen(t, "127.0.0.1:0", cfg)
	first, _ := s.connect(t)
	cfg.Sessions = NewMemory(100)
	s.restart(t, cfg)
	s.dial.Resume = first.Session()
	client, server := s.connect(t)
	if client.Resumed() || server.Resumed() {
		t.Error("resumed")
	}
	pass(t, client, server, "up")
}

func TestNothingIsResumedWithoutAStore(t *testing.T) {
	s := newSite(t, ListenConfig{})
	first, _ := s.connect(t)
	s.dial.Resume = first.Session()
	client, _ := s.connect(t)
	if client.Resumed() {
		t.Error("resumed")
	}
}

// No certificate is sent when a session is resumed.
func TestRevokedClientGetsInByNoSession(t *testing.T) {
	sessions := NewMemory(100)
	revoked := false
	cfg := verifying(func(*x509.Certificate) error {
		if revoked {
			return errors.New("revoked")
		}
		return nil
	})
	cfg.Sessions = sessions
	s := newSite(t, cfg)
	first, _ := s.connect(t)
	s.dial.Resume = first.Session()
	revoked = true
	if _, err := Dial(limit(t), s.address(), s.dial); err == nil {
		t.Fatal("let in")
	}
	if n := sessions.size(); n != 0 {
		t.Errorf("%d sessions are still kept", n)
	}
}

// A client that was given a new certificate may still have its old session.
func TestRevokedSessionStillLetsANewCertificateIn(t *testing.T) {
	cfg := verifying(func(c *x509.Certificate) error {
		if c.Subject.CommonName == "device" {
			return errors.New("revoked")
		}
		return nil
	})
	sessions := NewMemory(100)
	s := newSite(t, ListenConfig{Sessions: sessions})
	first, _ := s.connect(t)

	cfg.Sessions = sessions
	cfg.Certificate = s.server(t)
	s.restart(t, cfg)
	s.dial.Resume, s.dial.Certificate = first.Session(), s.device(t, "renewed")
	client, server := s.connect(t)
	if client.Resumed() || server.PeerCertificate().Subject.CommonName != "renewed" {
		t.Errorf("resumed %v, as %q", client.Resumed(), server.PeerCertificate().Subject.CommonName)
	}
}

func TestSessionsExpire(t *testing.T) {
	s := newSite(t, ListenConfig{Sessions: NewMemory(100), SessionLifetime: time.Second})
	first, _ := s.connect(t)
	s.dial.Resume = first.Session()
	for limit := limit(t); limit.Err() == nil; time.Sleep(200 * time.Millisecond) {
		client, server := s.connect(t)
		_ = server.Close()
		_ = client.Close()
		if !client.Resumed() {
			return
		}
	}
	t.Error("it never expired")
}

func TestSessionOfABrokenConnectionIsNotResumed(t *testing.T) {
	sessions := NewMemory(100)
	s := newSite(t, ListenConfig{Sessions: sessions})
	client, server := s.connect(t)
	if sessions.size() != 1 {
		t.Fatalf("%d sessions", sessions.size())
	}
	forged := append([]byte{recordApplicationData, 3, 3, 0, 40}, make([]byte, 40)...)
	if _, err := client.socket.Write(forged); err != nil {
		t.Fatal(err)
	}
	if _, err := server.ReadMessage(limit(t)); err == nil {
		t.Fatal("read the forged record")
	}
	if sessions.size() != 0 {
		t.Error("the session is still kept")
	}
}

func TestStoresTroubleKeepsNobodyOut(t *testing.T) {
	for name, store := range map[string]SessionStore{
		"failing":      failing{},
		"with rubbish": rubbish{failing{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, ListenConfig{Sessions: NewMemory(100)})
			first, _ := s.connect(t)
			cfg := ListenConfig{Sessions: store}
			cfg.Certificate = s.server(t)
			s.restart(t, cfg)
			s.dial.Resume = first.Session()
			client, server := s.connect(t)
			pass(t, client, server, "up")
			if server.Resumed() {
				t.Error("resumed")
			}
		})
	}
}
