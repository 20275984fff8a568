// Package pki makes and reads the keys and certificates of this project:
// ECDSA keys on the P-256 curve, signatures with SHA-256, X.509 v3 in DER.
//
// That one combination is all a device of this kind can check, so everything
// else is refused here with an error that says what was found instead.
// The package does not store keys, does not revoke, and does not decide who
// gets a certificate: the service's brain, the device and the command line
// call it for the bytes.
package pki

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// The longest validity a certificate can state. Certificates that a device
// checks run from DistantPast to DistantFuture, because a device may have no
// clock: it then judges them at the Unix epoch.
var (
	DistantPast   = time.Date(1970, time.January, 1, 0, 0, 0, 0, time.UTC)
	DistantFuture = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC) // RFC 5280 §4.1.2.5
)

// Why bytes are not a key or certificate that can be used here.
var (
	ErrMalformed = errors.New("malformed")             // not DER of that kind: PEM, cut off, something else
	ErrAlgorithm = errors.New("unsupported algorithm") // well formed, but not ECDSA on P-256 with SHA-256
)

// badInput is an error that reads as its text alone and matches one of the
// sentinels above.
type badInput struct {
	kind error
	text string
}

func (e *badInput) Error() string { return e.text }

func (e *badInput) Unwrap() error { return e.kind }

func malformed(format string, args ...any) error {
	return &badInput{kind: ErrMalformed, text: fmt.Sprintf(format, args...)}
}

func wrongAlgorithm(format string, args ...any) error {
	return &badInput{kind: ErrAlgorithm, text: fmt.Sprintf(format, args...)}
}

// NewSerial makes a certificate serial number: random, 1 to 2^128.
func NewSerial() (*big.Int, error) {
	limit := new(big.Int).Lsh(big.NewInt(1), 128)
	serial, err := rand.Int(rand.Reader, limit)
	if err != nil {
		return nil, fmt.Errorf("cannot make a serial number: %w", err)
	}
	return serial.Add(serial, big.NewInt(1)), nil // zero is not a serial number (RFC 5280 §4.1.2.2)
}
