package coap

import "crypto/x509"

// VerifyServer decides about a server's chain, its own certificate first, for
// other transports as Dial does for DTLS: ErrUntrusted unless it ends in
// RootCA.
func (c DialConfig) VerifyServer(leaf *x509.Certificate, rest []*x509.Certificate) error {
	return verifyServer(leaf, rest, c)
}
