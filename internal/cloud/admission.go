package cloud

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
)

// AdmitDevice is RecognizeDevice for the handshake: besides, it takes in a
// device that never bootstraps, since it has a certificate of an account's own
// LwM2M authority. Such a device gets its directory entry here; its endpoint
// name, the certificate's CN, tells it from others of that authority.
func (s *Service) AdmitDevice(ctx context.Context, certificate *x509.Certificate, others []*x509.Certificate, remoteAddr string) error {
	if _, refused := s.RecognizeDevice(ctx, certificate); !errors.Is(refused, ErrUnauthorized) {
		return refused
	} else if known, err := s.isKnown(ctx, certificate); err != nil {
		return err // our own trouble, which is no refusal
	} else if known {
		return s.denyKnown(ctx, certificate, others, remoteAddr, refused)
	}
	proved, err := s.lwm2mProof(ctx, certificate, others, remoteAddr)
	if err != nil {
		return err
	}
	holder, err := proved.holder(ctx, s.store)
	if err != nil {
		return err
	}
	if holder != nil && holder.Suspension.Active {
		return s.deny(ctx, proved, EventAdmissionRefused, remoteAddr, Refuse(ErrUnauthorized, "the device is suspended"))
	}
	if holder != nil && s.connections.Alive(ctx, holder.ID) {
		return Refuse(ErrUnauthorized, "the device is connected now; another may not take its identity")
	}
	err = s.store.Update(ctx, func(w Writer) error { return s.takeIn(ctx, w, proved, certificate) })
	if err != nil {
		return fmt.Errorf("cannot take in a device: %w", err)
	}
	if holder != nil {
		s.connections.Disconnect(holder.ID) // a session under the certificate before
	}
	return nil
}

// denyKnown records that a device was refused that has been here before: one with
// an LwM2M certificate of its own never bootstraps, so nothing else would show it.
func (s *Service) denyKnown(ctx context.Context, certificate *x509.Certificate, others []*x509.Certificate, remoteAddr string, refused error) error {
	var refusal *Refusal
	if !errors.As(refused, &refusal) {
		return refused
	}
	proved, err := s.lwm2mProof(ctx, certificate, others, remoteAddr)
	switch {
	case errors.Is(err, ErrUnauthorized): // recorded if it can be, and the first reason counts
		return refused
	case err != nil:
		return err
	}
	return s.deny(ctx, proved, EventAdmissionRefused, remoteAddr, refusal)
}

// isKnown tells whether a certificate was taken in before. What came by a
// trusted certificate that was deleted may come again by another.
func (s *Service) isKnown(ctx context.Context, certificate *x509.Certificate) (bool, error) {
	record, err := s.store.DeviceCertificate(ctx, fingerprint(certificate.Raw))
	if err == nil {
		_, err = s.store.Certificate(ctx, record.CertificateID)
	}
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// lwm2mProof recognises a certificate by which a device may register.
func (s *Service) lwm2mProof(ctx context.Context, certificate *x509.Certificate, others []*x509.Certificate, remoteAddr string) (*proof, error) {
	trusted, err := s.trustedFor(ctx, LwM2MService, certificate, others)
	if err != nil {
		return nil, err
	}
	proved, err := proofBy(trusted, certificate)
	if err != nil {
		return nil, err
	}
	if !trusted.Active || !trusted.ValidAt(s.now()) {
		return nil, s.deny(ctx, proved, EventAdmissionRefused, remoteAddr, Refuse(ErrUnauthorized, "the LwM2M certificate is not active or not valid"))
	}
	return proved, nil
}

// takeIn records a device and its certificate, in place of an earlier one.
func (s *Service) takeIn(ctx context.Context, w Writer, proved *proof, certificate *x509.Certificate) error {
	if err := proved.checkStanding(ctx, w); err != nil {
		return err
	}
	device, err := proved.holder(ctx, w)
	save := w.UpdateDevice
	if err == nil && device == nil {
		device, err = s.newEntry(ctx, w, proved, s.ids.New(), s.now())
		save = w.InsertDevice
	}
	if err != nil {
		return err
	}
	event := s.setState(device, StateBootstrapped, EventAdmission)
	event.Data = map[string]string{"certificate_id": proved.certificateID()}
	owned := &DeviceCertificate{
		Fingerprint:   fingerprint(certificate.Raw),
		AccountID:     proved.accountID,
		DeviceID:      device.ID,
		CertificateID: proved.certificateID(),
		Status:        CertificateActive,
		NotAfter:      certificate.NotAfter,
		IssuedAt:      event.At,
		ChangedAt:     event.At,
	}
	device.BootstrappedAt = event.At // what it has proved is not for users to change
	device.DeviceKey, device.ConnectorExpiresAt = colonHex(owned.Fingerprint), owned.NotAfter
	device.CertificateID, device.IssuerFingerprint = proved.certificateID(), proved.issuerFingerprint()
	if err := save(ctx, device); err != nil {
		return err
	}
	if err := w.RevokeDeviceCertificates(ctx, device.ID, event.At); err != nil {
		return err
	}
	if err := w.DeleteDeviceCertificate(ctx, owned.Fingerprint); err != nil { // of an authority that was deleted
		return err
	}
	if err := w.InsertDeviceCertificate(ctx, owned); err != nil {
		return err
	}
	return w.InsertEvent(ctx, event)
}
