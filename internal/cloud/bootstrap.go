package cloud

import (
	"context"
	"crypto/ecdsa"
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

// CertificateStatus is how far an LwM2M certificate has come.
type CertificateStatus string

// The statuses. A certificate is on record once its bootstrap is finished, and
// active until something takes its place.
const (
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
	TrustedCertificate bool              // the one the device came with, if it had one, still counts
	Suspended          bool              // the device may not connect
}

// BootstrapRequest is a device asking for its LwM2M credentials.
type BootstrapRequest struct {
	Certificate   *x509.Certificate   // presented and proved in the handshake
	Others        []*x509.Certificate // the rest of the chain it was presented with
	SharedKey     string              // identity of the pre-shared key proved in place of a certificate
	EndpointName  string              // ep; may be empty since LwM2M 1.1
	AccountID     string              // aid
	DeviceID      string              // the last iep of the query; empty for a new device
	ClientVersion string              // mccv, for the log
	Enrolls       bool                // the client can make its key and enroll (EST)
	RemoteAddr    string              // for the log
	Since         time.Time           // when the handshake began; zero: not known, which is taken for just now
}

// BootstrapGrant is what a bootstrap writes to the device. Nothing of it is
// in force, or on record, before BootstrapFinished: it lives as long as the
// connection it is written over.
type BootstrapGrant struct {
	AccountID         string
	EndpointName      string
	DeviceID          string
	ServerURI         string // coaps://host:port?aid=…
	ShortServerID     uint16
	Enrollment        bool   // the device makes its key and asks for its certificate (Enroll)
	DeviceCertificate []byte // DER; at most 1024 bytes. nil with Enrollment
	ServerCA          []byte // DER
	PrivateKey        []byte // SEC 1 DER; nil with Enrollment

	proved *proof
	made   time.Time          // when this was, and with it the id of a new device
	issued *DeviceCertificate // what to record of DeviceCertificate
	known  bool               // the device was in the directory when this was made
	before string             // and this was its DeviceKey
}

// Bootstrap makes credentials for a device. Who the device is follows from
// what it proved in the handshake alone; endpoint name and account of the request
// must agree with it. It returns ErrUnauthorized for an unknown certificate,
// ErrInvalid for a request that disagrees with it, ErrForbidden if the identity
// asked for belongs to another, is connected now or is suspended, ErrLimit if the
// certificate has its number of devices.
func (s *Service) Bootstrap(ctx context.Context, request BootstrapRequest) (*BootstrapGrant, error) {
	proved, err := s.proofOf(ctx, request)
	if err != nil {
		return nil, err
	}
	request.DeviceID, _ = objectid.Normalize(request.DeviceID)
	known, err := s.admit(ctx, proved, request)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		if err := s.recordRefusal(ctx, proved, EventBootstrapRefused, request, refusal); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	enrollment, err := s.enrolls(ctx, request, proved.accountID)
	if err != nil {
		return nil, err
	}
	return s.grant(proved, known, enrollment)
}

// admit decides which device a request is from; nil is a new one.
func (s *Service) admit(ctx context.Context, proved *proof, request BootstrapRequest) (known *Device, err error) {
	if request.EndpointName != "" && request.EndpointName != proved.endpointName {
		return nil, RefuseField("ep", "is not the endpoint name of the credentials")
	}
	if request.AccountID != "" && request.AccountID != proved.accountID {
		return nil, RefuseField("aid", "is not the account of the credentials")
	}
	known, err = s.knownDevice(ctx, proved, request.DeviceID)
	if err != nil {
		return nil, err
	}
	if known == nil {
		return nil, s.checkDeviceLimit(ctx, s.store, proved)
	}
	if known.Suspension.Active {
		return nil, refuseSuspended()
	}
	if s.connections.Alive(ctx, known.ID) {
		return nil, Refuse(ErrForbidden, "the device is connected now; another may not take its identity")
	}
	return known, nil
}

func refuseSuspended() error { return Refuse(ErrForbidden, "the device is suspended") }

// knownDevice finds the device a request is from, nil if it is a new one. Where
// one credential is one device, that need not say who it is.
func (s *Service) knownDevice(ctx context.Context, proved *proof, id string) (*Device, error) {
	device, err := s.claimedDevice(ctx, proved, id)
	if device != nil || err != nil || !proved.ofOneDevice() {
		return device, err
	}
	return proved.holder(ctx, s.store)
}

// claimedDevice finds the device that calls itself id. It returns nil if there
// is none, or none any more: its entry or the certificate it came with was
// deleted, and it starts over.
func (s *Service) claimedDevice(ctx context.Context, proved *proof, id string) (*Device, error) {
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
	if proved.fits(device) {
		return device, nil
	}
	if device.CertificateID != "" {
		_, err = s.store.Certificate(ctx, device.CertificateID)
	}
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, Refuse(ErrForbidden, "the device came with another certificate")
}

func (s *Service) checkDeviceLimit(ctx context.Context, r Reader, proved *proof) error {
	if proved.ofOneDevice() {
		return proved.checkVacant(ctx, r)
	}
	limit := s.limits.DevicesPerCertificate
	if limit == 0 {
		return nil
	}
	count, err := r.CountDevices(ctx, proved.certificate.ID)
	if err != nil {
		return err
	}
	if count >= limit {
		return Refuse(ErrLimit, "the certificate has its %d devices; delete one or make another certificate", limit)
	}
	return nil
}

// grant makes what is written to a known device, or to a new one if known is nil:
// with a key and its certificate, or without them where the device makes the key.
func (s *Service) grant(proved *proof, known *Device, enrollment bool) (*BootstrapGrant, error) {
	device := Device{ID: s.ids.New()}
	if known != nil {
		device = *known
	}
	grant := &BootstrapGrant{
		AccountID:     proved.accountID,
		EndpointName:  proved.endpointName,
		DeviceID:      device.ID,
		ServerURI:     s.lwm2mURI(proved.accountID),
		ShortServerID: ShortServerID,
		Enrollment:    enrollment,
		ServerCA:      s.authorities[LwM2MAuthority].record.Certificate,
		proved:        proved,
		made:          s.now(),
		known:         known != nil,
		before:        device.DeviceKey,
	}
	if enrollment {
		return grant, nil
	}
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	if grant.PrivateKey, err = pki.MarshalSEC1(key); err != nil {
		return nil, err
	}
	return grant, s.certify(grant, &key.PublicKey)
}

// certify makes the certificate of a grant.
func (s *Service) certify(grant *BootstrapGrant, key *ecdsa.PublicKey) (err error) {
	now := s.now()
	notAfter := now.Add(deviceCertificateValidity).Truncate(time.Second)
	name := pki.DeviceName{AccountID: grant.AccountID, EndpointName: grant.EndpointName, DeviceID: grant.DeviceID}
	grant.DeviceCertificate, err = s.authorities[DeviceAuthority].IssueDevice(name, key, now, notAfter)
	if err != nil {
		return fmt.Errorf("cannot issue a device certificate: %w", err)
	}
	grant.issued = &DeviceCertificate{
		Fingerprint:   fingerprint(grant.DeviceCertificate),
		AccountID:     grant.AccountID,
		DeviceID:      grant.DeviceID,
		CertificateID: grant.proved.certificateID(),
		Status:        CertificateActive,
		NotAfter:      notAfter,
		IssuedAt:      now,
		ChangedAt:     now,
	}
	return nil
}

// BootstrapFinished puts a grant in force; call it when the device has
// acknowledged the finish and before it is let go. The device takes its slot
// here, and its earlier certificate is revoked. It returns ErrLimit if others
// took the last slot meanwhile, ErrNotFound if what the grant rests on is gone:
// the trusted certificate, the device, or the device's state at its making,
// when another bootstrap of the same device finished first.
func (s *Service) BootstrapFinished(ctx context.Context, grant *BootstrapGrant) error {
	err := s.store.Update(ctx, func(w Writer) error { return s.putInForce(ctx, w, grant) })
	if err != nil {
		return fmt.Errorf("cannot finish the bootstrap of %s: %w", grant.DeviceID, err)
	}
	if grant.known {
		s.connections.Disconnect(grant.DeviceID) // a session under the revoked certificate
	}
	return nil
}

func (s *Service) putInForce(ctx context.Context, w Writer, grant *BootstrapGrant) error {
	proved, issued := grant.proved, grant.issued
	if err := proved.checkStanding(ctx, w); err != nil {
		return err
	}
	device, err := s.takeSlot(ctx, w, grant)
	if err != nil {
		return err
	}
	event := s.setState(device, StateBootstrapped, EventBootstrap)
	event.Data = map[string]string{"certificate_id": proved.certificateID()}
	device.DeviceKey = colonHex(issued.Fingerprint)
	device.BootstrappedAt = event.At
	device.BootstrapExpiresAt = proved.notAfter
	device.ConnectorExpiresAt = issued.NotAfter
	device.CertificateID, device.IssuerFingerprint = proved.certificateID(), proved.issuerFingerprint()
	device.ExecutionMode = proved.executionMode // an entry made before the device came may say otherwise
	save := w.InsertDevice
	if grant.known {
		save = w.UpdateDevice
		if err := s.endEarlier(ctx, w, device, event.At); err != nil {
			return err
		}
		if err := w.CompleteCertificateEnrollments(ctx, device.ID, event.At); err != nil {
			return err
		}
	}
	if err := save(ctx, device); err != nil {
		return err
	}
	if err := s.dropReplaced(ctx, w, proved.certificate); err != nil {
		return err
	}
	if err := proved.settleClaim(ctx, w, device.ID, event.At); err != nil {
		return err
	}
	issued.ChangedAt = event.At
	if err := w.InsertDeviceCertificate(ctx, issued); err != nil {
		return err
	}
	return s.recordFromDevice(ctx, w, event)
}

// takeSlot finds the device a grant was made for, or makes a directory entry
// for it if there is a slot. The caller saves it.
func (s *Service) takeSlot(ctx context.Context, w Writer, grant *BootstrapGrant) (*Device, error) {
	if grant.known {
		device, err := w.Device(ctx, grant.DeviceID)
		if err == nil && device.DeviceKey != grant.before {
			return nil, Refuse(ErrNotFound, "another bootstrap of the device has finished meanwhile")
		}
		if err == nil && device.Suspension.Active {
			return nil, refuseSuspended()
		}
		return device, err
	}
	return s.newEntry(ctx, w, grant.proved, grant.DeviceID, grant.made)
}

// newEntry makes a directory entry if there is a slot. The caller saves it. It
// is as old as the device's id, by which lists are in order.
func (s *Service) newEntry(ctx context.Context, w Writer, proved *proof, deviceID string, made time.Time) (*Device, error) {
	if err := s.checkDeviceLimit(ctx, w, proved); err != nil {
		return nil, err
	}
	return &Device{
		ID:            deviceID,
		AccountID:     proved.accountID,
		EndpointName:  proved.endpointName,
		Name:          deviceID,
		ExecutionMode: proved.executionMode,
		Mechanism:     MechanismConnector,
		CreatedAt:     made,
		UpdatedAt:     made,
	}, nil
}

// endEarlier ends what a device had before it bootstrapped anew.
func (s *Service) endEarlier(ctx context.Context, w Writer, device *Device, at time.Time) error {
	if err := w.DeleteRegistration(ctx, device.ID); err != nil {
		return err
	}
	return w.RevokeDeviceCertificates(ctx, device.ID, at)
}

// BootstrapAborted notes that a grant did not reach its device and is thrown
// away.
func (s *Service) BootstrapAborted(ctx context.Context, grant *BootstrapGrant, reason string) {
	s.log.InfoContext(ctx, "bootstrap aborted", "device", grant.DeviceID, "reason", reason)
}
