package pki

import (
	"bytes"
	"encoding/pem"
	"fmt"
)

const (
	certificateBlock = "CERTIFICATE" // RFC 7468 §5
	privateKeyBlock  = "PRIVATE KEY" // RFC 7468 §10
)

// CertificatePEM is a DER certificate as PEM text.
func CertificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}))
}

// PrivateKeyPEM is a PKCS#8 DER key as PEM text.
func PrivateKeyPEM(pkcs8 []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: pkcs8}))
}

// DecodeCertificatePEM returns the DER bytes of the first certificate in PEM
// text. What kind of certificate it is, is not looked at; ParseCertificate
// does. The error matches ErrMalformed.
func DecodeCertificatePEM(text []byte) (der []byte, err error) {
	found := ""
	for rest := text; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return nil, fmt.Errorf("cannot read the certificate: %w", noCertificate(text, found))
		}
		if block.Type == certificateBlock {
			return block.Bytes, nil
		}
		found = block.Type
	}
}

func noCertificate(text []byte, found string) error {
	switch {
	case found != "":
		return malformed("the PEM text holds a %q block; a %q block is needed", found, certificateBlock)
	case len(bytes.TrimSpace(text)) == 0:
		return malformed("it is empty")
	case checkSingleSequence(text) == nil:
		return malformed("it is DER bytes; PEM text is needed")
	default:
		return malformed("it is not PEM text")
	}
}
