package coap

import (
	"errors"
	"fmt"
)

// Errors of Dial that say that the certificates do not do, not the network.
var (
	// ErrRefused: the server refused our certificate.
	ErrRefused = errors.New("the server refused the certificate")
	// ErrUntrusted: the server's certificate is not one of RootCA's.
	ErrUntrusted = errors.New("the server's certificate is not trusted")
)

// alertMessage is how the DTLS library's error for an alert looks: its type
// has no public name.
type alertMessage interface {
	error
	Marshal() ([]byte, error)
}

const levelFatal = 2

// Descriptions of alerts about the certificate (RFC 5246 §7.2.2):
// bad_certificate to certificate_unknown, unknown_ca, access_denied.
const (
	badCertificate     = 42
	certificateUnknown = 46
	unknownCA          = 48
	accessDenied       = 49
)

// refusal wraps err in ErrRefused if it is a fatal alert about our
// certificate. Alerts about anything else may come from a server that is not
// quite up.
func refusal(err error) error {
	var alert alertMessage
	if !errors.As(err, &alert) {
		return err
	}
	wire, marshalErr := alert.Marshal()
	if marshalErr != nil || len(wire) != 2 || wire[0] != levelFatal || !isAboutCertificate(wire[1]) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

func isAboutCertificate(description byte) bool {
	return description >= badCertificate && description <= certificateUnknown ||
		description == unknownCA || description == accessDenied
}
