package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

const requestBlock = "CERTIFICATE REQUEST" // RFC 7468 §7

// maxRequest is the longest certificate request that is looked at, in bytes of
// PEM text; those made here have about 400.
const maxRequest = 8 << 10

// NewRequest makes a certificate request (RFC 2986) for a key, as PEM text. It
// proves the possession of the key and names nobody: the issuer does that.
func NewRequest(key *ecdsa.PrivateKey) (string, error) {
	if key == nil {
		return "", errors.New("cannot make the certificate request: there is no key")
	}
	template := &x509.CertificateRequest{SignatureAlgorithm: x509.ECDSAWithSHA256}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return "", fmt.Errorf("cannot make the certificate request: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: der})), nil
}

// RequestedKey is the P-256 key that a certificate request in PEM text asks a
// certificate for; the request is signed with it. What else stands in the
// request is not looked at. The error matches ErrMalformed or ErrAlgorithm.
func RequestedKey(text string) (*ecdsa.PublicKey, error) {
	key, err := requestedKey(text)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate request: %w", err)
	}
	return key, nil
}

func requestedKey(text string) (*ecdsa.PublicKey, error) {
	if len(text) > maxRequest {
		return nil, malformed("it has %d bytes; at most %d are read", len(text), maxRequest)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != requestBlock {
		return nil, malformed("it is no PEM text with a %q block", requestBlock)
	}
	request, err := parseRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	return request.PublicKey.(*ecdsa.PublicKey), nil
}

func parseRequest(der []byte) (*x509.CertificateRequest, error) {
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, malformed("%v", err)
	}
	if err := checkPublicKey(request.PublicKey); err != nil {
		return nil, err
	}
	if err := request.CheckSignature(); err != nil {
		return nil, malformed("it is not signed with its own key")
	}
	return request, nil
}

// RequestedDevice reads a device's certificate request in DER: its P-256 key,
// which the request is signed with, and the name the device gives itself. The
// error matches ErrMalformed or ErrAlgorithm.
func RequestedDevice(der []byte) (*ecdsa.PublicKey, DeviceName, error) {
	request, err := parseRequest(der)
	if err != nil {
		return nil, DeviceName{}, fmt.Errorf("cannot read the certificate request: %w", err)
	}
	return request.PublicKey.(*ecdsa.PublicKey), deviceNameOf(request.Subject), nil
}

// IssueIdentity makes the certificate that one device presents to the bootstrap
// server, at most MaxDeviceCertificate bytes: OU is the account, CN the
// device's own endpoint name. It has no device id yet.
func (a *Authority) IssueIdentity(accountID, endpointName string, pub *ecdsa.PublicKey, notBefore, notAfter time.Time) ([]byte, error) {
	der, err := a.issueIdentity(accountID, endpointName, pub, notBefore, notAfter)
	if err != nil {
		return nil, fmt.Errorf("cannot issue the device's bootstrap certificate: %w", err)
	}
	return der, nil
}

func (a *Authority) issueIdentity(accountID, endpointName string, pub *ecdsa.PublicKey, notBefore, notAfter time.Time) ([]byte, error) {
	name, err := marshalName(
		attribute{oidOrganization, "organization", organization},
		attribute{oidOrganizationUnit, "account id", accountID},
		attribute{oidCommonName, "endpoint name", endpointName},
	)
	if err != nil {
		return nil, err
	}
	return a.issue(endTemplate(name, pub, x509.ExtKeyUsageClientAuth), pub, notBefore, notAfter)
}
