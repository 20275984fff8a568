package coap

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"testing"
	"time"

	"mbl/internal/coap/record"
)

// sharedKeys lets one identity in.
func sharedKeys() ListenConfig {
	return ListenConfig{
		HandshakeTimeout: 30 * time.Second,
		SharedKey: func(_ context.Context, identity string) ([]byte, error) {
			if identity != "gateway-00000001" {
				return nil, errors.New("nobody knows " + identity)
			}
			return sharedSecret(), nil
		},
	}
}

func sharedSecret() []byte { return []byte("0123456789abcdef") }

// OpenSSL with each suite that devices with pre-shared keys have.
func TestOpenSSLConnectsWithAPreSharedKey(t *testing.T) {
	for _, suite := range []string{
		"PSK-AES128-CCM8", "PSK-AES128-CCM", "PSK-AES128-GCM-SHA256", "PSK-AES128-CBC-SHA256", "ECDHE-PSK-AES128-CBC-SHA256",
	} {
		t.Run(suite, func(t *testing.T) {
			server := talkToOpenSSL(t, newSite(t, sharedKeys()),
				"-cipher", suite+":@SECLEVEL=0", "-psk_identity", "gateway-00000001", "-psk", hex.EncodeToString(sharedSecret()))
			if peer := PeerOf(server); peer.SharedKey != "gateway-00000001" || peer.Certificate != nil || server.PeerCertificate() != nil {
				t.Errorf("the peer is %+v", peer)
			}
		})
	}
}

func TestCertificatesAndPreSharedKeysComeToOnePort(t *testing.T) {
	s := newSite(t, sharedKeys())
	_, server := s.connect(t, s.listener.Addr().String())
	if peer := PeerOf(server); peer.SharedKey != "" || peer.Certificate.Subject.CommonName != "device" {
		t.Errorf("the first is %+v", peer)
	}
	s.dial = DialConfig{SharedKey: &SharedKey{Identity: "gateway-00000001", Key: sharedSecret()}}
	client, server := s.connect(t, s.listener.Addr().String())
	if peer := PeerOf(server); peer.SharedKey != "gateway-00000001" {
		t.Errorf("the second is %+v", peer)
	}
	if err := client.WriteMessage([]byte("up")); err != nil {
		t.Fatal(err)
	}
	if got, err := server.ReadMessage(limit(t)); err != nil || string(got) != "up" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestPreSharedKeysThatAreRefused(t *testing.T) {
	for name, own := range map[string]SharedKey{
		"a wrong key":         {Identity: "gateway-00000001", Key: []byte("another key here")},
		"an unknown identity": {Identity: "gateway-00000002", Key: sharedSecret()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, sharedKeys())
			cfg := DialConfig{SharedKey: &own, HandshakeTimeout: 2 * time.Second}
			if conn, err := Dial(limit(t), s.listener.Addr().String(), cfg); err == nil {
				_ = conn.Close()
				t.Error("it is let in")
			}
		})
	}
}

func TestAnUnknownIdentityIsCalledSo(t *testing.T) {
	s := newSite(t, sharedKeys())
	r := newRelay(t, s.listener.Addr().String())
	cfg := DialConfig{SharedKey: &SharedKey{Identity: "gateway-00000002", Key: sharedSecret()}}
	if _, err := Dial(limit(t), r.address(), cfg); err == nil {
		t.Fatal("it is let in")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.recorded[len(r.recorded)-1]
	if record.Kind(last[0]) != record.Alert || !bytes.HasSuffix(last, []byte{levelFatal, unknownPSKIdentity}) {
		t.Errorf("it is told %x", last)
	}
}

func TestWithoutPreSharedKeysNoneIsTaken(t *testing.T) {
	s := newSite(t, ListenConfig{})
	cfg := DialConfig{SharedKey: &SharedKey{Identity: "gateway-00000001", Key: sharedSecret()}, HandshakeTimeout: 2 * time.Second}
	if conn, err := Dial(limit(t), s.listener.Addr().String(), cfg); err == nil {
		_ = conn.Close()
		t.Error("it is let in")
	}
}

func TestTheChainOfAClientIsShown(t *testing.T) {
	var shown []*x509.Certificate
	s := newSite(t, ListenConfig{VerifyChain: func(_ context.Context, _ net.Addr, _ *x509.Certificate, others []*x509.Certificate) error {
		shown = others
		return nil
	}})
	s.dial.Certificate.Certificate = append(s.dial.Certificate.Certificate, s.ca.certificate.Raw)
	_, server := s.connect(t, s.listener.Addr().String())
	peer := PeerOf(server)
	if len(shown) != 1 || len(peer.Others) != 1 || !peer.Others[0].Equal(s.ca.certificate) || peer.Certificate.Subject.CommonName != "device" {
		t.Errorf("in the handshake %d others, then %+v", len(shown), peer)
	}
}
