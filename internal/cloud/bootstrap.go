package cloud

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"mbl/internal/objectid"
	"mbl/internal/pki"
)

// ShortServerID is the short server id (LwM2M 1.0, section E.1, resource 10)
// of the management server in every grant.
const ShortServerID uint16 = 1

// deviceCertificateValidity is how long a device can connect before it has to
// bootstrap again.
const deviceCertificateValidity = 5 * 365 * 24 * time.Hour

// unfinishedPeriod is how long a bootstrap may take. The slowest client gives
// up long before.
const unfinishedPeriod = time.Hour

// CertificateStatus is how far an LwM2M certificate has come.
type CertificateStatus string

// The statuses. A certificate is issued when it is sent to the device, active
// once the bootstrap is finished, revoked when something takes its place.
const (
	CertificateIssued  CertificateStatus = "issued"
	CertificateActive  CertificateStatus = "active"
	CertificateRevoked CertificateStatus = "revoked"
)

// DeviceCertificate is an LwM2M certificate issued to a device.
type DeviceCertificate struct {
	Fingerprint   string // SHA-256 of the certificate, in hex
	AccountID     string
	DeviceID      string
	CertificateID string // the trusted certificate the device came with
	Status        CertificateStatus
	NotAfter      time.Time
	IssuedAt      time.Time
	ChangedAt     time.Time // when Status last changed
}

// Standing is how the device that presents an LwM2M certificate stands.
type Standing struct {
	Device             Identity
	Status             CertificateStatus // of the LwM2M certificate
	NotAfter           time.Time         // of the LwM2M certificate
	TrustedCertificate bool              // the one the device came with is active
}

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
}

// RecognizeBootstrap tells whether a peer may bootstrap: its certificate is,
// byte for byte, an active developer certificate or one device's own. It is made for the
// handshake, so that strangers get no further. It returns ErrUnauthorized for
// every other certificate.
func (s *Service) RecognizeBootstrap(ctx context.Context, certificate *x509.Certificate) error {
	_, err := s.bootstrapCertificate(ctx, certificate)
	return err
}

func (s *Service) bootstrapCertificate(ctx context.Context, presented *x509.Certificate) (*TrustedCertificate, error) {
	certificate, err := s.store.CertificateByFingerprint(ctx, fingerprint(presented.Raw))
	if errors.Is(err, ErrNotFound) {
		return nil, Refuse(ErrUnauthorized, "the certificate is not a bootstrap certificate of this service")
	}
	if err != nil {
		return nil, err
	}
	if err := s.checkDeveloperAbove(ctx, certificate); err != nil {
		return nil, err
	}
	if !certificate.Active || certificate.Service != BootstrapService || !certificate.ValidAt(s.now()) {
		return nil, Refuse(ErrUnauthorized, "the bootstrap certificate is not active or not valid")
	}
	return certificate, nil
}

// Bootstrap makes credentials for a device. Who the device is follows from
// its certificate alone; endpoint name and account of the request must agree
// with it. It returns ErrUnauthorized for an unknown certificate, ErrInvalid
// for a request that disagrees with it, ErrForbidden if the identity asked
// for belongs to another or is connected now, ErrLimit if the certificate
// has its number of devices.
func (s *Service) Bootstrap(ctx context.Context, request BootstrapRequest) (*BootstrapGrant, error) {
	certificate, err := s.bootstrapCertificate(ctx, request.Certificate)
	if err != nil {
		return nil, err
	}
	request.DeviceID, _ = objectid.Normalize(request.DeviceID)
	deviceID, err := s.admit(ctx, certificate, request)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		if err := s.recordRefusal(ctx, certificate, request, refusal); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	return s.issue(ctx, certificate, deviceID)
}

// admit decides which device a request is from; for a new one it makes an id.
func (s *Service) admit(ctx context.Context, certificate *TrustedCertificate, request BootstrapRequest) (deviceID string, err error) {
	if request.EndpointName != certificate.EndpointName {
		return "", RefuseField("ep", "is not the endpoint name of the certificate")
	}
	if request.AccountID != "" && request.AccountID != certificate.AccountID {
		return "", RefuseField("aid", "is not the account of the certificate")
	}
	known, err := s.knownDevice(ctx, certificate, request.DeviceID)
	if err != nil {
		return "", err
	}
	if known == nil {
		return s.ids.New(), s.checkDeviceLimit(ctx, s.store, certificate)
	}
	if s.connections.Alive(ctx, known.ID) {
		return "", Refuse(ErrForbidden, "the device is connected now; another may not take its identity")
	}
	return known.ID, nil
}

// knownDevice finds the device a request is from, nil if it is a new one. The
// only device of a certificate need not say who it is.
func (s *Service) knownDevice(ctx context.Context, certificate *TrustedCertificate, id string) (*Device, error) {
	device, err := s.claimedDevice(ctx, certificate, id)
	if device != nil || err != nil || !certificate.OfOneDevice() {
		return device, err
	}
	return holder(ctx, s.store, certificate)
}

// claimedDevice finds the device that calls itself id. It returns nil if there
// is none, or none any more: its entry or its developer certificate was
// deleted, and it starts over.
func (s *Service) claimedDevice(ctx context.Context, certificate *TrustedCertificate, id string) (*Device, error) {
	if id == "" {
		return nil, nil
	}
	device, err := s.store.Device(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if device.CertificateID == certificate.ID || holds(device, certificate) {
		return device, nil
	}
	_, err = s.store.Certificate(ctx, device.CertificateID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, Refuse(ErrForbidden, "the device came with another certificate")
}

func (s *Service) checkDeviceLimit(ctx context.Context, r Reader, certificate *TrustedCertificate) error {
	if certificate.OfOneDevice() {
		return checkVacant(ctx, r, certificate)
	}
	limit := s.limits.DevicesPerCertificate
	if limit == 0 {
		return nil
	}
	count, err := r.CountDevices(ctx, certificate.ID)
	if err != nil {
		return err
	}
	if count >= limit {
		return Refuse(ErrLimit, "the certificate has its %d devices; delete one or make another certificate", limit)
	}
	return nil
}

func (s *Service) issue(ctx context.Context, certificate *TrustedCertificate, deviceID string) (*BootstrapGrant, error) {
	now := s.now()
	notAfter := now.Add(deviceCertificateValidity).Truncate(time.Second)
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	private, err := pki.MarshalSEC1(key)
	if err != nil {
		return nil, err
	}
	name := pki.DeviceName{AccountID: certificate.AccountID, EndpointName: certificate.EndpointName, DeviceID: deviceID}
	der, err := s.authorities[DeviceAuthority].IssueDevice(name, &key.PublicKey, now, notAfter)
	if err != nil {
		return nil, fmt.Errorf("cannot issue a device certificate: %w", err)
	}
	issued := &DeviceCertificate{
		Fingerprint:   fingerprint(der),
		AccountID:     certificate.AccountID,
		DeviceID:      deviceID,
		CertificateID: certificate.ID,
		Status:        CertificateIssued,
		NotAfter:      notAfter,
		IssuedAt:      now,
		ChangedAt:     now,
	}
	err = s.store.Update(ctx, func(w Writer) error { return w.InsertDeviceCertificate(ctx, issued) })
	if err != nil {
		return nil, fmt.Errorf("cannot record a device certificate: %w", err)
	}
	return &BootstrapGrant{
		AccountID:         certificate.AccountID,
		EndpointName:      certificate.EndpointName,
		DeviceID:          deviceID,
		ServerURI:         s.lwm2mURI(certificate.AccountID),
		ShortServerID:     ShortServerID,
		DeviceCertificate: der,
		ServerCA:          s.authorities[LwM2MAuthority].record.Certificate,
		PrivateKey:        private,
	}, nil
}

// BootstrapFinished puts a grant in force; call it when the device has
// acknowledged the finish and before it is let go. The device takes its slot
// here, and its earlier certificate is revoked. It returns ErrLimit if others
// took the last slot meanwhile, ErrNotFound if the grant is no longer valid.
func (s *Service) BootstrapFinished(ctx context.Context, grant *BootstrapGrant) error {
	err := s.store.Update(ctx, func(w Writer) error { return s.putInForce(ctx, w, grant) })
	if err != nil {
		return fmt.Errorf("cannot finish the bootstrap of %s: %w", grant.DeviceID, err)
	}
	s.connections.Disconnect(grant.DeviceID) // a session under the revoked certificate
	return nil
}

func (s *Service) putInForce(ctx context.Context, w Writer, grant *BootstrapGrant) error {
	issued, err := w.DeviceCertificate(ctx, fingerprint(grant.DeviceCertificate))
	if err != nil {
		return err
	}
	if issued.Status != CertificateIssued {
		return Refuse(ErrNotFound, "the grant is no longer valid")
	}
	certificate, err := w.Certificate(ctx, issued.CertificateID)
	if err != nil {
		return err
	}
	device, save, err := s.takeSlot(ctx, w, certificate, issued)
	if err != nil {
		return err
	}
	event := s.setState(device, StateBootstrapped, EventBootstrap)
	event.Data = map[string]string{"certificate_id": certificate.ID}
	device.DeviceKey = colonHex(issued.Fingerprint)
	device.BootstrappedAt = event.At
	device.BootstrapExpiresAt = certificate.NotAfter
	device.ConnectorExpiresAt = issued.NotAfter
	device.CertificateID, device.IssuerFingerprint = certificate.ID, certificate.Fingerprint
	if err := save(ctx, device); err != nil {
		return err
	}
	if err := s.dropReplaced(ctx, w, certificate); err != nil {
		return err
	}
	if err := w.DeleteRegistration(ctx, device.ID); err != nil {
		return err
	}
	if err := s.replaceCertificate(ctx, w, issued, event.At); err != nil {
		return err
	}
	return w.InsertEvent(ctx, event)
}

// takeSlot finds the device a certificate was issued to, or makes a directory
// entry for it if there is a slot; save puts the entry into the directory.
func (s *Service) takeSlot(ctx context.Context, w Writer, certificate *TrustedCertificate, issued *DeviceCertificate) (
	device *Device, save func(context.Context, *Device) error, err error,
) {
	device, err = w.Device(ctx, issued.DeviceID)
	if !errors.Is(err, ErrNotFound) {
		return device, w.UpdateDevice, err
	}
	if err := s.checkDeviceLimit(ctx, w, certificate); err != nil {
		return nil, nil, err
	}
	now := s.now()
	device = &Device{
		ID:            issued.DeviceID,
		AccountID:     certificate.AccountID,
		EndpointName:  certificate.EndpointName,
		Name:          issued.DeviceID,
		ExecutionMode: certificate.ExecutionMode,
		CreatedAt:     now,
		UpdatedAt:     now,
	}
	return device, w.InsertDevice, nil
}

func (s *Service) replaceCertificate(ctx context.Context, w Writer, issued *DeviceCertificate, at time.Time) error {
	if err := w.RevokeDeviceCertificates(ctx, issued.DeviceID, at); err != nil {
		return err
	}
	return w.SetDeviceCertificateStatus(ctx, issued.Fingerprint, CertificateActive, at)
}

// BootstrapAborted throws a grant away. Grants that nobody finishes or aborts
// are collected by CollectUnfinished.
func (s *Service) BootstrapAborted(ctx context.Context, grant *BootstrapGrant, reason string) error {
	s.log.InfoContext(ctx, "bootstrap aborted", "device", grant.DeviceID, "reason", reason)
	return s.store.Update(ctx, func(w Writer) error {
		issued, err := w.DeviceCertificate(ctx, fingerprint(grant.DeviceCertificate))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil || issued.Status != CertificateIssued {
			return err
		}
		return w.SetDeviceCertificateStatus(ctx, issued.Fingerprint, CertificateRevoked, s.now())
	})
}

// CollectUnfinished forgets the bootstraps that were begun long ago and never
// finished.
func (s *Service) CollectUnfinished(ctx context.Context) error {
	before := s.now().Add(-unfinishedPeriod)
	return s.store.Update(ctx, func(w Writer) error {
		count, err := w.DeleteUnfinishedCertificates(ctx, before)
		if count > 0 {
			s.log.InfoContext(ctx, "collected unfinished bootstraps", "count", count)
		}
		return err
	})
}
