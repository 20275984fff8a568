//go:build openssl

package openssl

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"mbl/internal/coap"
)

func sharedSecret() []byte { return []byte("0123456789abcdef") }

// sharedKeys lets one identity in.
func sharedKeys() ListenConfig {
	return ListenConfig{ListenConfig: coap.ListenConfig{
		HandshakeTimeout: 30 * time.Second,
		SharedKey: func(_ context.Context, identity string) ([]byte, error) {
			if identity != "gateway-00000001" {
				return nil, errors.New("nobody knows " + identity)
			}
			return sharedSecret(), nil
		},
	}}
}

func TestOpenSSLConnectsWithAPreSharedKey(t *testing.T) {
	for _, suite := range []Suite{PSKCCM8, PSKGCM} {
		t.Run(suite.String(), func(t *testing.T) {
			s := newSite(t, sharedKeys())
			client := s.startClient(t, s.files(t), "-cipher", suite.String()+":@SECLEVEL=0",
				"-psk_identity", "gateway-00000001", "-psk", hex.EncodeToString(sharedSecret()))
			server := s.accept(t)
			if peer := coap.PeerOf(server); peer.SharedKey != "gateway-00000001" || peer.Certificate != nil || peer.Since.IsZero() || server.Suite() != suite {
				t.Errorf("the peer is %+v, with %v", peer, server.Suite())
			}
			client.say("up")
			if got, err := server.ReadMessage(limit(t)); err != nil || string(got) != "up\n" {
				t.Fatalf("read %q, %v", got, err)
			}
			if err := server.WriteMessage([]byte("down\n")); err != nil {
				t.Fatal(err)
			}
			client.expect("down\n")
		})
	}
}

func TestCertificatesAndPreSharedKeysComeToOnePort(t *testing.T) {
	s := newSite(t, sharedKeys())
	_, server := s.connect(t)
	if peer := coap.PeerOf(server); peer.SharedKey != "" || peer.Certificate == nil {
		t.Errorf("the first is %+v", peer)
	}
	s.dial = DialConfig{DialConfig: coap.DialConfig{SharedKey: &coap.SharedKey{Identity: "gateway-00000001", Key: sharedSecret()}}}
	client, server := s.connect(t)
	if peer := coap.PeerOf(server); peer.SharedKey != "gateway-00000001" {
		t.Errorf("the second is %+v", peer)
	}
	pass(t, client, server, "up")
	pass(t, server, client, "down")
}

func TestPreSharedKeysThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		own coap.SharedKey
		cfg ListenConfig
	}{
		"a wrong key":         {coap.SharedKey{Identity: "gateway-00000001", Key: []byte("another key here")}, sharedKeys()},
		"an unknown identity": {coap.SharedKey{Identity: "gateway-00000002", Key: sharedSecret()}, sharedKeys()},
		"where none is taken": {coap.SharedKey{Identity: "gateway-00000001", Key: sharedSecret()}, ListenConfig{}},
		"too long a key":      {coap.SharedKey{Identity: "gateway-00000001", Key: make([]byte, 4096)}, sharedKeys()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, c.cfg)
			s.dial = DialConfig{DialConfig: coap.DialConfig{SharedKey: &c.own}}
			if conn, err := Dial(limit(t), s.address(), s.dial); err == nil {
				_ = conn.Close()
				t.Error("it is let in")
			}
			if conn := acceptedWithin(t, s, 100*time.Millisecond); conn != nil {
				t.Errorf("the server took it for %+v", coap.PeerOf(conn))
			}
		})
	}
}

// acceptedWithin is nil if nobody is let in meanwhile.
func acceptedWithin(t *testing.T, s *site, wait time.Duration) coap.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	conn, err := s.listener.Accept(ctx)
	if err != nil {
		return nil
	}
	return conn
}

func TestEnginesOfPreSharedKeysAreFreed(t *testing.T) {
	s := newSite(t, sharedKeys())
	s.dial = DialConfig{DialConfig: coap.DialConfig{SharedKey: &coap.SharedKey{Identity: "gateway-00000001", Key: sharedSecret()}}}
	client, server := s.connect(t)
	_ = client.Close()
	_ = server.Close()
	for ctx := limit(t); s.alive() > 0; {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%d are not", s.alive())
		}
	}
}
