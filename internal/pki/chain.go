package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// MaxChain is how many certificates of one chain are looked at, the end
// certificate among them: as many as an original device stores.
const MaxChain = 5

// ParseChainPEM reads every certificate of PEM text, in its order. Each must be
// one that ParseCertificate reads. The error matches ErrMalformed or
// ErrAlgorithm.
func ParseChainPEM(text []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for rest := text; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != certificateBlock {
			continue
		}
		if len(chain) == MaxChain {
			return nil, fmt.Errorf("cannot read the certificates: %w", malformed("they are more than %d", MaxChain))
		}
		certificate, err := ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		_, err := DecodeCertificatePEM(text)
		return nil, err
	}
	return chain, nil
}

// VerifyClient checks that a client's certificate was issued by an authority,
// directly or by way of the others it sent, and that all of them may do so and
// are valid at a time.
func VerifyClient(certificate *x509.Certificate, others []*x509.Certificate, authority *x509.Certificate, at time.Time) error {
	if len(others) >= MaxChain {
		return fmt.Errorf("the chain has more than %d certificates", MaxChain)
	}
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		CurrentTime:   at,
	}
	options.Roots.AddCert(authority)
	for _, other := range others {
		if err := checkPublicKey(other.PublicKey); err != nil {
			return err
		}
		options.Intermediates.AddCert(other)
	}
	if certificate.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		return wrongAlgorithm("it is signed with %s; ECDSA-SHA256 is needed", certificate.SignatureAlgorithm)
	}
	_, err := certificate.Verify(options)
	return err
}

// IsSelfIssued tells whether a certificate names itself as its issuer.
func IsSelfIssued(certificate *x509.Certificate) bool {
	return bytes.Equal(certificate.RawSubject, certificate.RawIssuer)
}

// CheckSignature checks a signature (ASN.1 DER, ECDSA with SHA-256) of data by
// a certificate's key.
func CheckSignature(certificate *x509.Certificate, data, signature []byte) bool {
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	digest := sha256.Sum256(data)
	return ok && ecdsa.VerifyASN1(key, digest[:], signature)
}
