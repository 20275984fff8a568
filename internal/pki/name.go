package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"unicode/utf8"
)

// maxNameLength is the longest name attribute in bytes: X.520's bound for
// common names, and what a device's buffers hold.
const maxNameLength = 64

// Attribute types of a name (X.520; RFC 5280 appendix A.1).
var (
	oidCommonName       = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidLocality         = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidOrganization     = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidOrganizationUnit = asn1.ObjectIdentifier{2, 5, 4, 11}
)

// organization is the O of the certificates made here.
const organization = "mbl"

type attribute struct {
	oid   asn1.ObjectIdentifier
	label string // for errors
	text  string
}

// marshalName encodes a name with the attributes in the order given. (Go's
// pkix.Name has an order of its own.)
func marshalName(attributes ...attribute) ([]byte, error) {
	var sequence pkix.RDNSequence
	for _, a := range attributes {
		if err := a.check(); err != nil {
			return nil, err
		}
		sequence = append(sequence, pkix.RelativeDistinguishedNameSET{{Type: a.oid, Value: a.text}})
	}
	der, err := asn1.Marshal(sequence)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the certificate's name: %w", err)
	}
	return der, nil
}

func (a attribute) check() error {
	switch {
	case a.text == "":
		return fmt.Errorf("the %s is empty", a.label)
	case len(a.text) > maxNameLength:
		return fmt.Errorf("the %s has %d bytes; at most %d fit into a certificate", a.label, len(a.text), maxNameLength)
	case !utf8.ValidString(a.text):
		return fmt.Errorf("the %s is not UTF-8", a.label)
	}
	return nil
}

// DeviceName is who a device certificate speaks for.
type DeviceName struct {
	AccountID    string // OU
	EndpointName string // CN
	DeviceID     string // L; empty in developer certificates made here
}

func (n DeviceName) marshal() ([]byte, error) {
	return marshalName(
		attribute{oidLocality, "device id", n.DeviceID},
		attribute{oidOrganizationUnit, "account id", n.AccountID},
		attribute{oidCommonName, "endpoint name", n.EndpointName},
	)
}

// DeviceNameOf reads the name from a certificate's subject; what is absent
// stays empty.
func DeviceNameOf(cert *x509.Certificate) DeviceName { return deviceNameOf(cert.Subject) }

func deviceNameOf(subject pkix.Name) DeviceName {
	return DeviceName{
		AccountID:    first(subject.OrganizationalUnit),
		EndpointName: subject.CommonName,
		DeviceID:     first(subject.Locality),
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
