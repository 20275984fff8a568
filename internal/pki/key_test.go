package pki_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"mbl/internal/pki"
)

const vectors = "../../testdata/vectors/"

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestKeysHaveTheOriginalsSizesAndAreReadBack(t *testing.T) {
	encodings := []struct {
		name    string
		marshal func(*ecdsa.PrivateKey) ([]byte, error)
		size    int
	}{
		{"PKCS#8", pki.MarshalPKCS8, 150},
		{"SEC1", pki.MarshalSEC1, 121},
	}
	for _, encoding := range encodings {
		t.Run(encoding.name, func(t *testing.T) {
			for range 50 { // sizes must not depend on leading zeros
				key := newKey(t)
				der, err := encoding.marshal(key)
				if err != nil {
					t.Fatal(err)
				}
				if len(der) != encoding.size {
					t.Fatalf("%d bytes, want %d", len(der), encoding.size)
				}
				again, err := pki.ParsePrivateKey(der)
				if err != nil {
					t.Fatal(err)
				}
				if !again.Equal(key) {
					t.Fatal("another key came back")
				}
			}
		})
	}
}

func TestKeyOfManifestToolIsWrittenBackByteForByte(t *testing.T) {
	for _, file := range []string{
		"manifest-tool-1.4.8/.update-certificates/default.key.pem",
		"manifest-tool-2.6.2/.manifest-dev-tool/dev.key.pem",
	} {
		text, err := os.ReadFile(vectors + file)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		key, err := pki.ParsePrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		der, err := pki.MarshalSEC1(key)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(der, block.Bytes) {
			t.Errorf("%s: wrote\n%x, want\n%x", file, der, block.Bytes)
		}
	}
}

func TestWrongPrivateKeysAreNamed(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384SEC1, err := x509.MarshalECPrivateKey(p384)
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
	good := pkcs8(t, newKey(t))
	certificate, err := pki.SelfSignUpdateAuthority(newKey(t), "x", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := hex.DecodeString("300f" + "300a06082a864886f70d0503" + "040100")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		der  []byte
		kind error
		says string
	}{
		{"nothing", nil, pki.ErrMalformed, "empty"},
		{"PEM", []byte(pki.PrivateKeyPEM(good)), pki.ErrMalformed, "PEM text"},
		{"cut off", good[:len(good)-1], pki.ErrMalformed, "cut off"},
		{"something behind it", append(bytes.Clone(good), 0), pki.ErrMalformed, "1 bytes follow"},
		{"text", []byte("undefined"), pki.ErrMalformed, "not DER"},
		{"certificate", certificate, pki.ErrMalformed, "certificate"},
		{"encrypted", encrypted, pki.ErrMalformed, "encrypted"},
		{"another sequence", []byte{0x30, 0x03, 0x02, 0x01, 0x00}, pki.ErrMalformed, "neither"},
		{"P-384 in PKCS#8", pkcs8(t, p384), pki.ErrAlgorithm, "P-384"},
		{"P-384 in SEC1", p384SEC1, pki.ErrAlgorithm, "P-384"},
		{"RSA in PKCS#8", pkcs8(t, rsaKey), pki.ErrAlgorithm, "RSA with 2048 bits"},
		{"RSA in PKCS#1", x509.MarshalPKCS1PrivateKey(rsaKey), pki.ErrAlgorithm, "RSA"},
		{"Ed25519", pkcs8(t, edKey), pki.ErrAlgorithm, "Ed25519"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			key, err := pki.ParsePrivateKey(c.der)
			if key != nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.kind, c.says)
			}
		})
	}
}

func TestOtherCurvesAreNotWritten(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []*ecdsa.PrivateKey{nil, {}, p384} {
		if der, err := pki.MarshalPKCS8(key); err == nil {
			t.Errorf("wrote %x", der)
		}
		if der, err := pki.MarshalSEC1(key); err == nil {
			t.Errorf("wrote %x", der)
		}
	}
}

func TestSubjectKeyIDIsTheOneOfManifestTool(t *testing.T) {
	cert := readVector(t, "manifest-tool-1.4.8/.update-certificates/default.der")
	if id := pki.SubjectKeyID(cert.PublicKey.(*ecdsa.PublicKey)); !bytes.Equal(id, cert.SubjectKeyId) {
		t.Errorf("%x, want %x", id, cert.SubjectKeyId)
	}
	if id := pki.SubjectKeyID(nil); id != nil {
		t.Errorf("%x for no key", id)
	}
}

func FuzzParsePrivateKey(f *testing.F) {
	key := newKey(f)
	sec1, err := pki.MarshalSEC1(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sec1)
	f.Add(pkcs8(f, key))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----"))
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := pki.ParsePrivateKey(der)
		if err != nil {
			return
		}
		if _, err := pki.MarshalPKCS8(key); err != nil {
			t.Errorf("a key that was read cannot be written: %v", err)
		}
	})
}
