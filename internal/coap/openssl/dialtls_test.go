//go:build openssl

package openssl

import (
	"crypto/x509"
	"errors"
	"testing"

	"mbl/internal/coap"
)

// A client without OpenSSL, with Go's TLS and the suite it has.
func TestAGoClientConnects(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, err := coap.DialTLS(limit(t), s.address(), s.dial.DialConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server := s.accept(t)
	for _, message := range []string{"up", "and up again"} {
		if err := client.WriteMessage([]byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"up", "and up again"} { // not run together
		if got, err := server.ReadMessage(limit(t)); err != nil || string(got) != want {
			t.Fatalf("server read %q, %v", got, err)
		}
	}
	for _, message := range []string{"down", "and down again"} {
		if err := server.WriteMessage([]byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"down", "and down again"} {
		if got, err := client.ReadMessage(limit(t)); err != nil || string(got) != want {
			t.Fatalf("client read %q, %v", got, err)
		}
	}
	if !client.PeerCertificate().Equal(serverLeaf(t, s)) {
		t.Error("the client has another certificate of the server")
	}
}

func serverLeaf(t *testing.T, s *site) *x509.Certificate {
	t.Helper()
	leaf, err := x509.ParseCertificate(s.listener.cfg.Certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// A device forgets its credentials over the first two of these errors, and
// over no other.
func TestAGoClientKnowsWhyItIsNotLetIn(t *testing.T) {
	refusing := newSite(t, verifying(func(*x509.Certificate) error { return errors.New("revoked") }))
	if _, err := coap.DialTLS(limit(t), refusing.address(), refusing.dial.DialConfig); !errors.Is(err, coap.ErrRefused) {
		t.Errorf("refused: %v", err)
	}
	stranger := newSite(t, ListenConfig{})
	if _, err := coap.DialTLS(limit(t), stranger.address(), refusing.dial.DialConfig); !errors.Is(err, coap.ErrUntrusted) {
		t.Errorf("another authority's server: %v", err)
	}
	address := stranger.address()
	_ = stranger.listener.Close()
	_, err := coap.DialTLS(limit(t), address, stranger.dial.DialConfig)
	if err == nil || errors.Is(err, coap.ErrRefused) || errors.Is(err, coap.ErrUntrusted) {
		t.Errorf("nobody listens: %v", err)
	}
}
