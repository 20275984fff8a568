package pki_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"mbl/internal/pki"
)

func readVector(t testing.TB, file string) *x509.Certificate {
	t.Helper()
	der, err := os.ReadFile(vectors + file)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pki.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// selfSigned makes a certificate of any algorithm.
func selfSigned(t testing.TB, key crypto.Signer, algorithm x509.SignatureAlgorithm) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:       big.NewInt(1),
		NotBefore:          time.Unix(0, 0),
		NotAfter:           time.Unix(1<<31, 0),
		SignatureAlgorithm: algorithm,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestWrongCertificatesAreNamed(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := selfSigned(t, newKey(t), x509.ECDSAWithSHA256)
	cases := []struct {
		name string
		der  []byte
		kind error
		says string
	}{
		{"nothing", nil, pki.ErrMalformed, "empty"},
		{"PEM", []byte(pki.CertificatePEM(good)), pki.ErrMalformed, "PEM text; DER bytes are needed"},
		{"cut off", good[:len(good)-1], pki.ErrMalformed, "cut off"},
		{"something behind it", append(good[:len(good):len(good)], 0, 0), pki.ErrMalformed, "2 bytes follow"},
		{"private key", pkcs8(t, newKey(t)), pki.ErrMalformed, "private key"},
		{"another sequence", []byte{0x30, 0x00}, pki.ErrMalformed, "malformed"},
		{"RSA", selfSigned(t, rsaKey, x509.SHA256WithRSA), pki.ErrAlgorithm, "RSA with 2048 bits"},
		{"P-384", selfSigned(t, p384, x509.ECDSAWithSHA384), pki.ErrAlgorithm, "P-384"},
		{"Ed25519", selfSigned(t, edKey, x509.PureEd25519), pki.ErrAlgorithm, "Ed25519"},
		{"P-256 with SHA-384", selfSigned(t, newKey(t), x509.ECDSAWithSHA384), pki.ErrAlgorithm, "ECDSA-SHA384"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cert, err := pki.ParseCertificate(c.der)
			if cert != nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.kind, c.says)
			}
		})
	}
}

func TestFingerprintIsTheOneOfManifestTool(t *testing.T) {
	cert := readVector(t, "manifest-tool-1.4.8/.update-certificates/default.der")
	sum := pki.Fingerprint(cert.Raw)
	const want = "3ca7a492e69e926e71270e0b851f4b5043bb3b60b635682a028318be512bec14"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestKeyMatchesOnlyItsCertificate(t *testing.T) {
	key := newKey(t)
	cert, err := pki.ParseCertificate(selfSigned(t, key, x509.ECDSAWithSHA256))
	if err != nil {
		t.Fatal(err)
	}
	if !pki.KeyMatches(cert, key) {
		t.Error("its own key does not match")
	}
	if pki.KeyMatches(cert, newKey(t)) {
		t.Error("another key matches")
	}
	if pki.KeyMatches(nil, key) || pki.KeyMatches(cert, nil) {
		t.Error("nothing matches")
	}
}

func TestPEMRoundTrip(t *testing.T) {
	der := selfSigned(t, newKey(t), x509.ECDSAWithSHA256)
	text := pki.CertificatePEM(der)
	if !strings.HasPrefix(text, "-----BEGIN CERTIFICATE-----\n") || !strings.HasSuffix(text, "-----END CERTIFICATE-----\n") {
		t.Errorf("not PEM:\n%s", text)
	}
	chain := "a remark\n" + pki.PrivateKeyPEM([]byte{1}) + text + pki.CertificatePEM([]byte{2})
	for _, input := range []string{text, chain} {
		again, err := pki.DecodeCertificatePEM([]byte(input))
		if err != nil || string(again) != string(der) {
			t.Errorf("got %x, %v", again, err)
		}
	}
}

func TestTextThatHoldsNoCertificateIsNamed(t *testing.T) {
	cases := []struct{ name, text, says string }{
		{"nothing", " \n", "empty"},
		{"DER", string(selfSigned(t, newKey(t), x509.ECDSAWithSHA256)), "DER bytes; PEM text is needed"},
		{"key", pki.PrivateKeyPEM([]byte{1}), `"PRIVATE KEY" block`},
		{"word", "undefined", "not PEM text"},
		{"cut off", pki.CertificatePEM([]byte("something"))[:40], "not PEM text"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := pki.DecodeCertificatePEM([]byte(c.text))
			if !errors.Is(err, pki.ErrMalformed) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

func FuzzParseCertificate(f *testing.F) {
	f.Add(selfSigned(f, newKey(f), x509.ECDSAWithSHA256))
	f.Add(readVector(f, "manifest-tool-1.4.8/.update-certificates/default.der").Raw)
	f.Add(readVector(f, "manifest-tool-2.6.2/.manifest-dev-tool/dev.cert.der").Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		cert, err := pki.ParseCertificate(der)
		if err != nil {
			return
		}
		pki.DeviceNameOf(cert)
		if _, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok {
			t.Errorf("accepted a %T", cert.PublicKey)
		}
	})
}
