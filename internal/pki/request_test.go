package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestARequestCarriesItsKeyAndNothingSecret(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := NewRequest(key)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := RequestedKey(text)
	if err != nil || !pub.Equal(key.Public()) {
		t.Errorf("read %v, %v", pub, err)
	}
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(text))
	if bytes.Contains(block.Bytes, secret) {
		t.Error("the private key is in the request")
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	good, err := NewRequest(key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(good))
	block.Bytes[len(block.Bytes)-1] ^= 1
	for what, text := range map[string]string{
		"nothing":            "",
		"no PEM":             "hello",
		"a certificate":      strings.ReplaceAll(good, requestBlock, certificateBlock),
		"a broken signature": string(pem.EncodeToMemory(block)),
		"half of it":         good[:len(good)/2],
		"far too much":       strings.Repeat("x", maxRequest) + good,
	} {
		if pub, err := RequestedKey(text); !errors.Is(err, ErrMalformed) || pub != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestADevicesIdentityIsItsOwnAndNoAuthority(t *testing.T) {
	authority, err := NewAuthority("identities")
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	der, err := authority.IssueIdentity(strings.Repeat("a", 32), strings.Repeat("e", 64), &key.PublicKey, now, now.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	wanted := DeviceName{AccountID: strings.Repeat("a", 32), EndpointName: strings.Repeat("e", 64)}
	if DeviceNameOf(cert) != wanted || cert.IsCA || !KeyMatches(cert, key) || len(der) > MaxDeviceCertificate {
		t.Errorf("issued %+v, CA %v, %d bytes", DeviceNameOf(cert), cert.IsCA, len(der))
	}
	if cert.CheckSignatureFrom(authority.Certificate) != nil || cert.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Error("it is not the authority's client certificate")
	}
	if _, err := authority.IssueIdentity("a", "", &key.PublicKey, now, now); err == nil {
		t.Error("a certificate of nobody was issued")
	}
}
