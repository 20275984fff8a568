//go:build !openssl

package openssl

import (
	"errors"
	"testing"

	"mbl/internal/coap"
	"mbl/internal/pki"
)

func TestWithoutOpenSSLItSaysSo(t *testing.T) {
	if _, err := Listen("127.0.0.1:0", ListenConfig{}); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("Listen: %v", err)
	}
	ca, err := pki.NewAuthority("CA")
	if err != nil {
		t.Fatal(err)
	}
	cfg := DialConfig{DialConfig: coap.DialConfig{RootCA: ca.Certificate}}
	if _, err := Dial(t.Context(), "127.0.0.1:1", cfg); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("Dial: %v", err)
	}
}
