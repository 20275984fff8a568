package device

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"mbl/internal/keystore"
	"mbl/internal/pki"
)

// Limits of what a device can hold, the original's (m2mconfig.h,
// ConnectorClient.cpp).
const (
	maxResource = 1024 // bytes of a certificate, key or URI
	maxDeviceID = 63   // characters of the L of an LwM2M certificate
	maxEndpoint = 64   // characters of the CN
)

// serverAccount is all that is needed to connect to a server.
type serverAccount struct {
	uri  serverURI
	ca   *x509.Certificate
	cert *x509.Certificate
	tls  tls.Certificate
}

// loadAccount reads an account from the storage. keystore.ErrNotFound says
// that there is none.
func loadAccount(store keystore.Store, items accountItems) (*serverAccount, error) {
	var data [4][]byte
	for i, item := range []string{items.uri, items.ca, items.cert, items.key} {
		var err error
		if data[i], err = store.Get(item); err != nil {
			return nil, err
		}
	}
	return newAccount(string(data[0]), data[1], data[2], data[3])
}

// newAccount reads and checks the parts of an account: certificates and key
// are DER.
func newAccount(uriText string, caDER, certDER, keyDER []byte) (*serverAccount, error) {
	uri, err := parseServerURI(uriText)
	if err != nil {
		return nil, err
	}
	ca, err := pki.ParseCertificate(caDER)
	if err != nil {
		return nil, fmt.Errorf("server CA certificate: %w", err)
	}
	cert, err := pki.ParseCertificate(certDER)
	if err != nil {
		return nil, fmt.Errorf("device certificate: %w", err)
	}
	key, err := pki.ParsePrivateKey(keyDER)
	if err != nil {
		return nil, fmt.Errorf("device private key: %w", err)
	}
	if !pki.KeyMatches(cert, key) {
		return nil, errors.New("the private key does not belong to the device certificate")
	}
	return &serverAccount{
		uri: uri, ca: ca, cert: cert,
		tls: tls.Certificate{Certificate: [][]byte{certDER}, PrivateKey: key, Leaf: cert},
	}, nil
}

// accountID is the account the device belongs to, from the server's URI, else
// from the certificate.
func (a *serverAccount) accountID() string {
	if id := a.uri.account(); id != "" {
		return id
	}
	return pki.DeviceNameOf(a.cert).AccountID
}

// endpointName is the name the device registers under.
func (a *serverAccount) endpointName() string { return a.cert.Subject.CommonName }
