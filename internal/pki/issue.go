package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// sign makes a certificate for pub from template, signed by signer, with a
// fresh serial number. issuer is the signer's certificate, or template itself
// for a self-signed one.
func sign(template, issuer *x509.Certificate, pub *ecdsa.PublicKey, signer crypto.Signer) ([]byte, error) {
	if err := checkCurve(pub); err != nil {
		return nil, err
	}
	if signer == nil {
		return nil, errors.New("there is no key to sign with")
	}
	if err := checkPublicKey(signer.Public()); err != nil {
		return nil, fmt.Errorf("wrong signing key: %w", err)
	}
	serial, err := NewSerial()
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.SignatureAlgorithm = x509.ECDSAWithSHA256
	return x509.CreateCertificate(rand.Reader, template, issuer, pub, signer)
}

// checkPeriod refuses a validity that ends before it begins or that a
// certificate cannot state.
func checkPeriod(notBefore, notAfter time.Time) error {
	if notBefore.After(notAfter) {
		return fmt.Errorf("the validity ends (%s) before it begins (%s)",
			notAfter.UTC().Format(time.RFC3339), notBefore.UTC().Format(time.RFC3339))
	}
	if notBefore.Before(DistantPast) || notAfter.After(DistantFuture) {
		return errors.New("the validity reaches outside the years 1970 to 9999")
	}
	return nil
}
