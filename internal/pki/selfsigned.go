package pki

import (
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"
)

// The longest certificates a device stores, in bytes. What is issued here stays
// below them, because every part of a name is limited to maxNameLength.
const (
	MaxDeviceCertificate = 1024
	MaxUpdateCertificate = 600
)

const developerYears = 10

// developerExtensions are what the original service puts into a developer
// certificate, in its order: a private mark with the DER value INTEGER
// 0x400091, and critical basicConstraints CA:TRUE, pathlen:0 (RFC 5280
// §4.2.1.9).
func developerExtensions() []pkix.Extension {
	return []pkix.Extension{
		{
			Id:    asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 4128, 201},
			Value: []byte{0x02, 0x03, 0x40, 0x00, 0x91},
		},
		{
			Id:       asn1.ObjectIdentifier{2, 5, 29, 19},
			Critical: true,
			Value:    []byte{0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00},
		},
	}
}

// SelfSignDeveloper makes the certificate that a developer's devices present
// to the bootstrap server: OU is the account, CN the endpoint name, valid for
// ten years from now. The service recognises it by its fingerprint alone;
// that it calls itself a CA is only how the original's look.
func SelfSignDeveloper(key *ecdsa.PrivateKey, accountID, endpointName string, now time.Time) ([]byte, error) {
	der, err := selfSignDeveloper(key, accountID, endpointName, now)
	if err != nil {
		return nil, fmt.Errorf("cannot make the developer certificate: %w", err)
	}
	return der, nil
}

func selfSignDeveloper(key *ecdsa.PrivateKey, accountID, endpointName string, now time.Time) ([]byte, error) {
	name, err := marshalName(
		attribute{oidOrganization, "organization", organization},
		attribute{oidOrganizationUnit, "account id", accountID},
		attribute{oidCommonName, "endpoint name", endpointName},
	)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		RawSubject:      name,
		NotBefore:       now,
		NotAfter:        now.AddDate(developerYears, 0, 0),
		ExtraExtensions: developerExtensions(),
	}
	return selfSign(template, key)
}

// SelfSignUpdateAuthority makes the certificate that devices check firmware
// updates against: for signing code, valid from now for validFor, at most
// MaxUpdateCertificate bytes.
func SelfSignUpdateAuthority(key *ecdsa.PrivateKey, commonName string, now time.Time, validFor time.Duration) ([]byte, error) {
	der, err := selfSignUpdateAuthority(key, commonName, now, validFor)
	if err != nil {
		return nil, fmt.Errorf("cannot make the update certificate: %w", err)
	}
	return der, nil
}

func selfSignUpdateAuthority(key *ecdsa.PrivateKey, commonName string, now time.Time, validFor time.Duration) ([]byte, error) {
	name, err := marshalName(attribute{oidCommonName, "common name", commonName})
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, errors.New("there is no key to sign with")
	}
	template := &x509.Certificate{
		RawSubject:   name,
		NotBefore:    now,
		NotAfter:     now.Add(validFor),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		SubjectKeyId: SubjectKeyID(&key.PublicKey),
	}
	return selfSign(template, key)
}

func selfSign(template *x509.Certificate, key *ecdsa.PrivateKey) ([]byte, error) {
	if key == nil {
		return nil, errors.New("there is no key to sign with")
	}
	if err := checkPeriod(template.NotBefore, template.NotAfter); err != nil {
		return nil, err
	}
	return sign(template, template, &key.PublicKey, key)
}
