package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

var (
	oidECPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}    // RFC 5480 §2.1.1
	oidP256        = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7} // RFC 5480 §2.1.1.1
)

// NewKey makes a P-256 key.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	return key, nil
}

// MarshalPKCS8 encodes key as PKCS#8 DER (RFC 5208 §5), always 150 bytes: the
// ECPrivateKey inside names the curve a second time and carries the public
// key, as the original service's keys do. (Go's own encoder leaves the inner
// curve name out.)
func MarshalPKCS8(key *ecdsa.PrivateKey) ([]byte, error) {
	inner, err := MarshalSEC1(key)
	if err != nil {
		return nil, err
	}
	curve, err := asn1.Marshal(oidP256)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the curve's name: %w", err)
	}
	der, err := asn1.Marshal(struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
	}{
		Algorithm:  pkix.AlgorithmIdentifier{Algorithm: oidECPublicKey, Parameters: asn1.RawValue{FullBytes: curve}},
		PrivateKey: inner,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the private key: %w", err)
	}
	return der, nil
}

// MarshalSEC1 encodes key as an ECPrivateKey (RFC 5915 §3) with curve name
// and public key, always 121 bytes.
func MarshalSEC1(key *ecdsa.PrivateKey) ([]byte, error) {
	if key == nil {
		return nil, errors.New("cannot encode the private key: there is none")
	}
	if err := checkPublicKey(&key.PublicKey); err != nil {
		return nil, fmt.Errorf("cannot encode the private key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the private key: %w", err)
	}
	return der, nil
}

// ParsePrivateKey reads a P-256 private key in SEC1 or PKCS#8 DER. The error
// matches ErrMalformed or ErrAlgorithm, says what the bytes are instead where
// that can be told, and never contains key material.
func ParsePrivateKey(der []byte) (*ecdsa.PrivateKey, error) {
	if err := checkSingleSequence(der); err != nil {
		return nil, fmt.Errorf("cannot read the private key: %w", err)
	}
	key, err := parseAnyPrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read the private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("cannot read the private key: %w", wrongAlgorithm("it is a %T; P-256 is needed", key))
	}
	if err := checkPublicKey(signer.Public()); err != nil {
		return nil, fmt.Errorf("cannot read the private key: %w", err)
	}
	return key.(*ecdsa.PrivateKey), nil
}

func parseAnyPrivateKey(der []byte) (any, error) {
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if _, err := x509.ParseCertificate(der); err == nil {
		return nil, malformed("it is a certificate")
	}
	if isEncryptedPKCS8(der) {
		return nil, malformed("it is encrypted; remove its password first")
	}
	return nil, malformed("it is neither a SEC1 nor a PKCS#8 key")
}

// isEncryptedPKCS8 recognises an EncryptedPrivateKeyInfo (RFC 5208 §6).
func isEncryptedPKCS8(der []byte) bool {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	_, err := asn1.Unmarshal(der, &info)
	return err == nil
}

// checkPublicKey tells what a public key is unless it is on P-256.
func checkPublicKey(pub any) error {
	switch key := pub.(type) {
	case *ecdsa.PublicKey:
		return checkCurve(key)
	case *rsa.PublicKey:
		return wrongAlgorithm("its key is RSA with %d bits; ECDSA on P-256 is needed", key.N.BitLen())
	case ed25519.PublicKey:
		return wrongAlgorithm("its key is Ed25519; ECDSA on P-256 is needed")
	case nil:
		return wrongAlgorithm("its key is of an unknown kind; ECDSA on P-256 is needed")
	default:
		return wrongAlgorithm("its key is a %T; ECDSA on P-256 is needed", pub)
	}
}

func checkCurve(key *ecdsa.PublicKey) error {
	if key == nil || key.Curve == nil {
		return malformed("there is no public key")
	}
	if key.Curve != elliptic.P256() {
		return wrongAlgorithm("its key is on the curve %s; P-256 is needed", key.Curve.Params().Name)
	}
	return nil
}

// SubjectKeyID is the key's identifier in certificates: the first 20 bytes of
// the SHA-256 of its SubjectPublicKeyInfo. It is nil for an invalid key.
func SubjectKeyID(pub *ecdsa.PublicKey) []byte {
	if checkCurve(pub) != nil {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(der)
	return sum[:20]
}
