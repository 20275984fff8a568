package cloud

import (
	"context"
	"crypto/x509"
	"errors"
	"time"
)

// Identity is a device, as its LwM2M certificate proves it.
type Identity struct {
	AccountID    string
	DeviceID     string
	EndpointName string
}

// Registration is a device's LwM2M registration (LwM2M 1.0, section 5.3).
type Registration struct {
	EndpointName  string // ep; must agree with the certificate
	AccountID     string // d or aid; empty or agreeing with the certificate
	DeviceID      string // iep; empty or agreeing with the certificate
	EndpointType  string // et
	Binding       string // b
	LwM2MVersion  string // lwm2m; empty means 1.0
	ClientVersion string // mccv
	RemoteAddr    string
	Lifetime      time.Duration // lt; zero means DefaultLifetime
	Links         []Link        // the objects and resources the device has
}

// Link is one link of a registration (RFC 6690), with its attributes without
// quotes; an attribute without a value has the value "".
type Link struct {
	Path       string            `json:"path"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// RegistrationUpdate changes a registration; zero values leave it unchanged,
// except that every update renews the lifetime.
type RegistrationUpdate struct {
	Lifetime   *time.Duration // nil: as before
	Binding    string         // empty: as before
	Links      []Link         // new or changed links; one with attribute "d" is removed. nil: unchanged
	RemoteAddr string         // empty: as before
}

// RecognizeDevice tells which device presents a certificate: issued by the
// device CA, in force, not revoked, its device in the directory and its
// developer certificate active. It returns ErrUnauthorized for every other
// certificate.
func (s *Service) RecognizeDevice(ctx context.Context, certificate *x509.Certificate) (Identity, error) {
	return Identity{}, errors.ErrUnsupported
}

// Register records a registration, in place of an earlier one of the same
// device, and returns its location: rd, account id, device id. It returns
// ErrInvalid for a registration that disagrees with the identity or is not
// acceptable, ErrForbidden if the device may no longer register.
func (s *Service) Register(ctx context.Context, device Identity, registration Registration) (location []string, err error) {
	return nil, errors.ErrUnsupported
}

// UpdateRegistration renews a registration. It returns ErrNotFound if the
// location is not this device's or nothing is registered there: the device
// then registers anew.
func (s *Service) UpdateRegistration(ctx context.Context, device Identity, location []string, update RegistrationUpdate) error {
	return errors.ErrUnsupported
}

// Deregister ends a registration. It returns ErrNotFound like UpdateRegistration.
func (s *Service) Deregister(ctx context.Context, device Identity, location []string) error {
	return errors.ErrUnsupported
}

// ExpireRegistrations ends the registrations whose lifetime has passed.
func (s *Service) ExpireRegistrations(ctx context.Context) error {
	return errors.ErrUnsupported
}
