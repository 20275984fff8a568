package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"net/netip"
	"time"
)

// Authority is a certificate authority: its certificate and the key behind
// it, which may lie in hardware.
type Authority struct {
	Certificate *x509.Certificate
	Signer      crypto.Signer
}

// NewAuthority makes an authority with a fresh key, self-signed, that may
// issue end certificates only, valid from DistantPast to DistantFuture.
func NewAuthority(commonName string) (*Authority, error) {
	authority, err := newAuthority(commonName)
	if err != nil {
		return nil, fmt.Errorf("cannot make the certificate authority: %w", err)
	}
	return authority, nil
}

func newAuthority(commonName string) (*Authority, error) {
	name, err := marshalName(
		attribute{oidOrganization, "organization", organization},
		attribute{oidCommonName, "common name", commonName},
	)
	if err != nil {
		return nil, err
	}
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	der, err := selfSign(&x509.Certificate{
		RawSubject:            name,
		NotBefore:             DistantPast,
		NotAfter:              DistantFuture,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          SubjectKeyID(&key.PublicKey),
	}, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{Certificate: cert, Signer: key}, nil
}

// IssueServer makes a server's certificate. hosts are DNS names and IP
// addresses (an address's zone is dropped: it means nothing elsewhere).
func (a *Authority) IssueServer(commonName string, hosts []string, pub *ecdsa.PublicKey, notBefore, notAfter time.Time) ([]byte, error) {
	name, err := marshalName(attribute{oidCommonName, "common name", commonName})
	if err != nil {
		return nil, fmt.Errorf("cannot issue the server's certificate: %w", err)
	}
	template := endTemplate(name, pub, x509.ExtKeyUsageServerAuth)
	addHosts(template, hosts)
	der, err := a.issue(template, pub, notBefore, notAfter)
	if err != nil {
		return nil, fmt.Errorf("cannot issue the server's certificate: %w", err)
	}
	return der, nil
}

func addHosts(template *x509.Certificate, hosts []string) {
	for _, host := range hosts {
		address, err := netip.ParseAddr(host)
		if err != nil {
			template.DNSNames = append(template.DNSNames, host)
			continue
		}
		template.IPAddresses = append(template.IPAddresses, address.WithZone("").Unmap().AsSlice())
	}
}

// IssueDevice makes a device's certificate for the management server, at most
// MaxDeviceCertificate bytes. Every part of name is needed.
func (a *Authority) IssueDevice(name DeviceName, pub *ecdsa.PublicKey, notBefore, notAfter time.Time) ([]byte, error) {
	der, err := a.issueDevice(name, pub, notBefore, notAfter)
	if err != nil {
		return nil, fmt.Errorf("cannot issue the device's certificate: %w", err)
	}
	return der, nil
}

func (a *Authority) issueDevice(name DeviceName, pub *ecdsa.PublicKey, notBefore, notAfter time.Time) ([]byte, error) {
	subject, err := name.marshal()
	if err != nil {
		return nil, err
	}
	template := endTemplate(subject, pub, x509.ExtKeyUsageClientAuth)
	// With names of the usual length it then fits into one block of 512 bytes,
	// which is how original clients were seen to take it when they enroll.
	template.SubjectKeyId = nil
	return a.issue(template, pub, notBefore, notAfter)
}

func endTemplate(subject []byte, pub *ecdsa.PublicKey, usage x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		RawSubject:   subject,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
		SubjectKeyId: SubjectKeyID(pub),
	}
}

func (a *Authority) issue(template *x509.Certificate, pub *ecdsa.PublicKey, notBefore, notAfter time.Time) ([]byte, error) {
	if err := checkPeriod(notBefore, notAfter); err != nil {
		return nil, err
	}
	template.NotBefore, template.NotAfter = notBefore, notAfter
	return sign(template, a.Certificate, pub, a.Signer)
}
