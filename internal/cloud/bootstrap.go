package cloud

import (
	"context"
	"crypto/x509"
	"errors"
)

// ShortServerID is the short server id (LwM2M 1.0, section E.1, resource 10)
// of the management server in every grant.
const ShortServerID uint16 = 1

// BootstrapRequest is a device asking for its LwM2M credentials.
type BootstrapRequest struct {
	Certificate   *x509.Certificate // presented and proved in the handshake
	EndpointName  string            // ep
	AccountID     string            // aid
	DeviceID      string            // the last iep of the query; empty for a new device
	ClientVersion string            // mccv, for the log
	RemoteAddr    string            // for the log
}

// BootstrapGrant is what a bootstrap writes to the device. Nothing of it is
// in force before BootstrapFinished.
type BootstrapGrant struct {
	AccountID         string
	EndpointName      string
	DeviceID          string
	ServerURI         string // coaps://host:port?aid=…
	ShortServerID     uint16
	DeviceCertificate []byte // DER; at most 1024 bytes
	ServerCA          []byte // DER
	PrivateKey        []byte // SEC 1 DER

	newDevice     bool
	certificateID string // the trusted certificate the device came with
}

// RecognizeBootstrap tells whether a peer may bootstrap: its certificate is,
// byte for byte, an active developer certificate. It is made for the
// handshake, so that strangers get no further. It returns ErrUnauthorized for
// every other certificate.
func (s *Service) RecognizeBootstrap(ctx context.Context, certificate *x509.Certificate) error {
	return errors.ErrUnsupported
}

// Bootstrap makes credentials for a device. Who the device is follows from
// its certificate alone; endpoint name and account of the request must agree
// with it. It returns ErrUnauthorized for an unknown certificate, ErrInvalid
// for a request that disagrees with it, ErrForbidden if the identity asked
// for belongs to another or is connected now, ErrLimit if the certificate
// has its number of devices.
func (s *Service) Bootstrap(ctx context.Context, request BootstrapRequest) (*BootstrapGrant, error) {
	return nil, errors.ErrUnsupported
}

// BootstrapFinished puts a grant in force; call it when the device has
// acknowledged the finish and before it is let go. The device takes its slot
// here, and its earlier certificate is revoked. It returns ErrLimit if others
// took the last slot meanwhile, ErrNotFound if the grant is no longer valid.
func (s *Service) BootstrapFinished(ctx context.Context, grant *BootstrapGrant) error {
	return errors.ErrUnsupported
}

// BootstrapAborted throws a grant away. Grants that nobody finishes or aborts
// are collected by Collect.
func (s *Service) BootstrapAborted(ctx context.Context, grant *BootstrapGrant, reason string) error {
	return errors.ErrUnsupported
}
