package cloud

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// DefaultLifetime is a registration's lifetime if the device names none
// (LwM2M 1.0, section 5.3.1).
const DefaultLifetime = 86400 * time.Second

// LongestLifetime keeps a registration from outliving its device for good: a
// longer lifetime counts as this, and so does one without an end.
const LongestLifetime = 365 * 24 * time.Hour

// MaxLinks bounds what a device may register.
const MaxLinks = 4096

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

// RegistrationRecord is a registration at rest.
type RegistrationRecord struct {
	Registration
	RegisteredAt time.Time
	ExpiresAt    time.Time
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
// device CA or taken in by AdmitDevice, in force, not revoked, its device in the
// directory and not suspended, and what it came with not deleted. It returns
// ErrUnauthorized for every other certificate. It is quick enough to be asked at
// every message.
func (s *Service) RecognizeDevice(ctx context.Context, certificate *x509.Certificate) (Identity, error) {
	// Fingerprints are recorded of what the device CA has just signed, and of
	// what was verified when it came: a known one stands for the signature.
	standing, err := s.store.Standing(ctx, fingerprint(certificate.Raw))
	if errors.Is(err, ErrNotFound) {
		return Identity{}, Refuse(ErrUnauthorized, "the certificate was not issued to a device of this service")
	}
	if err != nil {
		return Identity{}, err
	}
	if standing.Status != CertificateActive || s.now().After(standing.NotAfter) {
		return Identity{}, Refuse(ErrUnauthorized, "the certificate is not in force")
	}
	if standing.Suspended {
		return Identity{}, Refuse(ErrUnauthorized, "the device is suspended")
	}
	if !standing.TrustedCertificate {
		return Identity{}, Refuse(ErrUnauthorized, "the certificate the device came with is not trusted any more")
	}
	return standing.Device, nil
}

// Register records a registration and returns its location: rd, account id,
// device id. It takes the place of an earlier one of the same device, whose
// subscriptions end. It returns ErrInvalid for a registration that disagrees with
// the identity or is not acceptable, ErrForbidden if the device may no longer
// register.
func (s *Service) Register(ctx context.Context, device Identity, registration Registration) (location []string, err error) {
	registration.Lifetime = min(cmp.Or(registration.Lifetime, DefaultLifetime), LongestLifetime)
	if err := registration.check(device); err != nil {
		return nil, err
	}
	registration.AccountID, registration.DeviceID = device.AccountID, device.DeviceID
	registration.Links = mergeLinks(nil, registration.Links) // each path once
	var record *RegistrationRecord
	err = s.store.Update(ctx, func(w Writer) error {
		record, err = s.saveRegistration(ctx, w, registration)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil, Refuse(ErrForbidden, "the device is not in the directory any more")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot register %s: %w", device.DeviceID, err)
	}
	s.watcher.Registered(record)
	return device.location(), nil
}

func (r *Registration) check(device Identity) error {
	switch {
	case r.EndpointName != device.EndpointName:
		return RefuseField("ep", "is not the endpoint name of the certificate")
	case r.AccountID != "" && r.AccountID != device.AccountID:
		return RefuseField("d", "is not the account of the certificate")
	case r.DeviceID != "" && r.DeviceID != device.DeviceID:
		return RefuseField("iep", "is not the device id of the certificate")
	case len(r.Links) > MaxLinks:
		return refuseLinks()
	}
	return checkLifetime(r.Lifetime)
}

func refuseLinks() error { return RefuseField("links", "are more than %d", MaxLinks) }

func checkLifetime(lifetime time.Duration) error {
	if lifetime <= 0 {
		return RefuseField("lt", "is not a time")
	}
	return nil
}

func (d Identity) location() []string { return []string{"rd", d.AccountID, d.DeviceID} }

func (s *Service) saveRegistration(ctx context.Context, w Writer, registration Registration) (*RegistrationRecord, error) {
	device, err := w.Device(ctx, registration.DeviceID)
	if err != nil {
		return nil, err
	}
	if err := checkMayRegister(ctx, w, device); err != nil {
		return nil, err
	}
	event := s.setState(device, StateRegistered, EventRegistration)
	event.Data = map[string]string{"remote_address": registration.RemoteAddr, "client_version": registration.ClientVersion}
	device.EndpointType = shortText(registration.EndpointType)
	save := w.UpdateDeviceState
	if learn(device, registration.Links) {
		save = w.UpdateDevice
	}
	if err := save(ctx, device); err != nil {
		return nil, err
	}
	record := &RegistrationRecord{
		Registration: registration,
		RegisteredAt: event.At,
		ExpiresAt:    event.At.Add(registration.Lifetime),
	}
	if err := w.SaveRegistration(ctx, record); err != nil {
		return nil, err
	}
	if err := w.DeleteDeviceSubscriptions(ctx, device.ID); err != nil {
		return nil, err
	}
	return record, s.recordFromDevice(ctx, w, event)
}

// checkMayRegister refuses a device that was cut off since it was recognised.
func checkMayRegister(ctx context.Context, r Reader, device *Device) error {
	if device.Suspension.Active {
		return refuseSuspended()
	}
	if device.CertificateID == "" {
		return nil
	}
	certificate, err := r.CertificateState(ctx, device.CertificateID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil || certificate.Service == LwM2MService && !certificate.Active {
		return Refuse(ErrForbidden, "the certificate the device came with is not trusted any more")
	}
	return nil
}

// UpdateRegistration renews a registration. It returns ErrNotFound if the
// location is not this device's or nothing is registered there: the device
// then registers anew.
func (s *Service) UpdateRegistration(ctx context.Context, device Identity, location []string, update RegistrationUpdate) error {
	if !slices.Equal(location, device.location()) {
		return Refuse(ErrNotFound, "the location is not this device's")
	}
	if update.Lifetime != nil {
		if err := checkLifetime(*update.Lifetime); err != nil {
			return err
		}
	}
	var record *RegistrationRecord
	err := s.store.Update(ctx, func(w Writer) (err error) {
		record, err = w.Registration(ctx, device.DeviceID)
		if err != nil {
			return err
		}
		if update.Lifetime != nil {
			record.Lifetime = min(*update.Lifetime, LongestLifetime)
		}
		record.ExpiresAt = s.now().Add(record.Lifetime)
		if !update.changes(record) {
			return w.RenewRegistration(ctx, device.DeviceID, record.Lifetime, record.ExpiresAt)
		}
		return s.changeRegistration(ctx, w, record, update)
	})
	if err == nil {
		s.watcher.RegistrationUpdated(record)
	}
	return err
}

// changes tells whether an update says more than "still here".
func (u RegistrationUpdate) changes(record *RegistrationRecord) bool {
	return u.Links != nil ||
		u.Binding != "" && u.Binding != record.Binding ||
		u.RemoteAddr != "" && u.RemoteAddr != record.RemoteAddr
}

func (s *Service) changeRegistration(ctx context.Context, w Writer, record *RegistrationRecord, update RegistrationUpdate) error {
	if update.Binding != "" {
		record.Binding = update.Binding
	}
	if update.RemoteAddr != "" {
		record.RemoteAddr = update.RemoteAddr
	}
	if update.Links == nil {
		return w.SaveRegistration(ctx, record)
	}
	record.Links = mergeLinks(record.Links, update.Links)
	if len(record.Links) > MaxLinks {
		return refuseLinks()
	}
	device, err := w.Device(ctx, record.DeviceID)
	if err != nil {
		return err
	}
	if learn(device, update.Links) {
		device.UpdatedAt = s.now()
		if err := w.UpdateDevice(ctx, device); err != nil {
			return err
		}
	}
	return w.SaveRegistration(ctx, record)
}

// Deregister ends a registration. It returns ErrNotFound like UpdateRegistration.
func (s *Service) Deregister(ctx context.Context, device Identity, location []string) error {
	if !slices.Equal(location, device.location()) {
		return Refuse(ErrNotFound, "the location is not this device's")
	}
	err := s.store.Update(ctx, func(w Writer) error {
		if _, err := w.Registration(ctx, device.DeviceID); err != nil {
			return err
		}
		entry, err := w.Device(ctx, device.DeviceID)
		if err != nil {
			return err
		}
		return s.endRegistration(ctx, w, entry, EventDeregistration)
	})
	if err == nil {
		s.watcher.RegistrationEnded(device, Deregistered)
	}
	return err
}

// endRegistration deletes a device's registration, if there is one, and says
// so in its directory entry and its events.
func (s *Service) endRegistration(ctx context.Context, w Writer, device *Device, why EventType) error {
	if err := w.DeleteRegistration(ctx, device.ID); err != nil {
		return err
	}
	if err := w.DeleteDeviceSubscriptions(ctx, device.ID); err != nil {
		return err
	}
	event := s.setState(device, StateDeregistered, why)
	if err := w.UpdateDeviceState(ctx, device); err != nil {
		return err
	}
	return s.recordFromDevice(ctx, w, event)
}

// RegistrationEnd is when a device's registration ends unless it is renewed.
// It returns ErrNotFound if there is none.
func (s *Service) RegistrationEnd(ctx context.Context, deviceID string) (time.Time, error) {
	registration, err := s.store.Registration(ctx, deviceID)
	if err != nil {
		return time.Time{}, err
	}
	return registration.ExpiresAt, nil
}

// expiryBatch keeps one transaction short when many devices fall silent.
const expiryBatch = 200

// ExpireRegistrations ends the registrations whose lifetime has passed.
func (s *Service) ExpireRegistrations(ctx context.Context) error {
	for {
		var expired []*RegistrationRecord
		err := s.store.Update(ctx, func(w Writer) (err error) {
			expired, err = s.expireSome(ctx, w)
			return err
		})
		if err != nil {
			return fmt.Errorf("cannot expire registrations: %w", err)
		}
		for _, record := range expired {
			s.watcher.RegistrationEnded(Identity{record.AccountID, record.DeviceID, record.EndpointName}, Expired)
		}
		if len(expired) < expiryBatch {
			return nil
		}
	}
}

func (s *Service) expireSome(ctx context.Context, w Writer) ([]*RegistrationRecord, error) {
	records, err := w.ExpiredRegistrations(ctx, s.now(), expiryBatch)
	if err != nil {
		return nil, err
	}
	for _, record := range records {
		device, err := w.Device(ctx, record.DeviceID)
		if err != nil {
			return nil, err
		}
		if err := s.endRegistration(ctx, w, device, EventRegistrationExpired); err != nil {
			return nil, err
		}
	}
	return records, nil
}
