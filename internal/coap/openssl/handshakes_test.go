//go:build openssl

package openssl

import (
	"crypto/x509"
	"errors"
	"sync"
	"testing"
)

// Signatures and keys have rare encodings, with zeros in front; each handshake
// has new ones, and here new certificates, too.
func TestHundredsOfHandshakes(t *testing.T) {
	s := newSite(t, ListenConfig{Sessions: NewMemory(100)})
	const clients, each = 4, 100
	var working sync.WaitGroup
	for range clients {
		working.Go(func() {
			own := &site{ca: s.ca, listener: s.listener, dial: s.dial}
			for i := range each {
				if i%10 == 0 {
					own.dial.Certificate = own.device(t, "device")
				}
				own.dial.Suite = []Suite{CCM8, GCM}[i%2]
				client, err := Dial(limit(t), own.address(), own.dial)
				if err != nil {
					t.Errorf("handshake %d: %v", i, err)
					return
				}
				if err := client.WriteMessage([]byte("done")); err != nil {
					t.Error(err)
				}
				_ = client.Close()
			}
		})
	}
	for range clients * each {
		server := s.accept(t)
		if got, err := server.ReadMessage(limit(t)); err != nil || string(got) != "done" {
			t.Fatalf("read %q, %v", got, err)
		}
		_ = server.Close()
	}
	working.Wait()
}

func TestConnectionsLeaveNothingInOpenSSLsMemory(t *testing.T) {
	fail := false
	cfg := verifying(func(*x509.Certificate) error {
		if fail {
			return errors.New("no")
		}
		return nil
	})
	cfg.Sessions = NewMemory(100)
	s := newSite(t, cfg)
	for _, fail = range []bool{false, true, false} {
		for _, s.dial.Suite = range []Suite{CCM8, GCM} {
			client, err := Dial(limit(t), s.address(), s.dial)
			if (err != nil) != fail {
				t.Fatal(err)
			}
			if err == nil {
				s.dial.Resume = client.Session()
				_ = s.accept(t).Close()
				_ = client.Close()
			}
		}
	}
	socket := s.socket(t) // stops in the middle
	if _, err := socket.Write(inRecords(helloWithoutSession(t), maxMessage)); err != nil {
		t.Fatal(err)
	}
	if _, err := socket.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if n := s.alive(); n != 1 {
		t.Errorf("%d connections while one is in its handshake", n)
	}
	_ = s.listener.Close()
	if n := s.alive(); n != 0 {
		t.Errorf("%d connections left", n)
	}
	if unfinished, open := s.listener.Count(); unfinished != 0 || open != 0 {
		t.Errorf("%d and %d connections are counted", unfinished, open)
	}
}
