package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
)

// ParseCertificate reads one DER certificate with a P-256 key and an
// ECDSA-SHA256 signature. The signature itself and the validity are not
// checked. The error matches ErrMalformed or ErrAlgorithm and says what the
// bytes are instead where that can be told.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	if err := checkSingleSequence(der); err != nil {
		return nil, fmt.Errorf("cannot read the certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate: %w", malformedCertificate(der, err))
	}
	if err := checkPublicKey(cert.PublicKey); err != nil {
		return nil, fmt.Errorf("cannot read the certificate: %w", err)
	}
	if cert.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		return nil, fmt.Errorf("cannot read the certificate: %w",
			wrongAlgorithm("it is signed with %s; ECDSA-SHA256 is needed", cert.SignatureAlgorithm))
	}
	return cert, nil
}

func malformedCertificate(der []byte, cause error) error {
	if _, err := ParsePrivateKey(der); err == nil {
		return malformed("it is a private key")
	}
	return malformed("%v", cause)
}

// Fingerprint is the SHA-256 of a whole DER certificate.
func Fingerprint(der []byte) [32]byte { return sha256.Sum256(der) }

// KeyMatches tells whether key is the private key of cert.
func KeyMatches(cert *x509.Certificate, key crypto.Signer) bool {
	if cert == nil || key == nil {
		return false
	}
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	return ok && pub.Equal(key.Public())
}
