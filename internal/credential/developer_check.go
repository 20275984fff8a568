package credential

import (
	"crypto/x509"
	"net/url"
	"strconv"
	"strings"

	"mbl/internal/pki"
)

// maxItem is the longest item a device's client can hold, in bytes.
const maxItem = 1024

// Check tells whether a device could use the credentials: every item fits and
// can be read, the key belongs to the certificate, the certificate to the
// endpoint name, the URI to the account. Validity in time is not checked. An
// error is a *CheckError; it never contains key material.
func (d *Developer) Check() error {
	if err := checkSizes(d.fields()); err != nil {
		return err
	}
	if err := checkServerURI(d.ServerURI, d.AccountID); err != nil {
		return err
	}
	if err := d.checkAuthorities(); err != nil {
		return err
	}
	return d.checkIdentity()
}

func checkSizes(fields []field) error {
	for _, f := range fields {
		content := f.content()
		if len(content) > maxItem {
			return problem(f.name, "it has %d bytes; a device takes at most %d", len(content), maxItem)
		}
		if f.text != nil && strings.ContainsRune(*f.text, 0) {
			return problem(f.name, "it contains a NUL character")
		}
	}
	return nil
}

// checkServerURI wants coap[s]://host:port with one aid, the account's if
// that is known.
func checkServerURI(uri, accountID string) error {
	u, err := url.Parse(uri)
	if err != nil {
		return problem(VarServerURI, "it is not a URI")
	}
	switch {
	case !strings.HasPrefix(uri, "coap://") && !strings.HasPrefix(uri, "coaps://"):
		return problem(VarServerURI, "it does not begin with coaps:// or coap://")
	case u.Hostname() == "":
		return problem(VarServerURI, "it names no host")
	case u.Port() == "":
		return problem(VarServerURI, "it names no port")
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
		return problem(VarServerURI, "its port is not a number from 1 to 65535")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return problem(VarServerURI, "its query cannot be read")
	}
	return checkAccount(query["aid"], accountID)
}

func checkAccount(named []string, accountID string) error {
	switch {
	case len(named) == 0 || named[0] == "":
		return problem(VarServerURI, "it names no account (?aid=)")
	case len(named) > 1:
		return problem(VarServerURI, "it names an account (aid=) more than once")
	case accountID != "" && named[0] != accountID:
		return problem(VarServerURI, "it names the account %q, but the credentials are for %q", named[0], accountID)
	}
	return nil
}

func (d *Developer) checkAuthorities() error {
	if _, err := readCertificate(VarServerCACertificate, d.ServerCACertificate); err != nil {
		return err
	}
	if d.LwM2MCACertificate == nil {
		return nil
	}
	_, err := readCertificate(VarLwM2MCACertificate, d.LwM2MCACertificate)
	return err
}

func (d *Developer) checkIdentity() error {
	if d.EndpointName == "" {
		return problem(VarEndpointName, "it is empty")
	}
	cert, err := readCertificate(VarDeviceCertificate, d.DeviceCertificate)
	if err != nil {
		return err
	}
	if cert.Subject.CommonName != d.EndpointName {
		return problem(VarDeviceCertificate, "its common name is %q, but the endpoint name is %q", cert.Subject.CommonName, d.EndpointName)
	}
	key, err := pki.ParsePrivateKey(d.PrivateKey)
	if err != nil {
		return problem(VarPrivateKey, "%v", err)
	}
	if !pki.KeyMatches(cert, key) {
		return problem(VarPrivateKey, "it is not the key of the device certificate")
	}
	return nil
}

func readCertificate(item string, der []byte) (*x509.Certificate, error) {
	cert, err := pki.ParseCertificate(der)
	if err != nil {
		return nil, problem(item, "%v", err)
	}
	return cert, nil
}
