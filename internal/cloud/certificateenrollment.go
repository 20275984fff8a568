package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// CertificateEnrollment is a user's request that a device renew a certificate,
// and what became of it.
type CertificateEnrollment struct {
	ID              string
	AccountID       string
	DeviceID        string
	CertificateName string
	Status          EnrollmentStatus
	Result          EnrollmentResult // empty until Status is EnrollmentCompleted
	Detail          string           // why it failed
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// EnrollmentStatus is how far a certificate enrollment has come.
type EnrollmentStatus string

// EnrollmentResult is how it ended.
type EnrollmentResult string

// The words of the API.
const (
	EnrollmentNew       EnrollmentStatus = "new"
	EnrollmentCompleted EnrollmentStatus = "completed"
	EnrollmentSuccess   EnrollmentResult = "success"
	EnrollmentFailure   EnrollmentResult = "failure"
)

// LwM2MCertificateName is the name of the certificate by which a device
// connects, the only one this service issues. Case does not matter.
const LwM2MCertificateName = "LWM2M"

const (
	// renewalWait is how long a device may take to bootstrap once it was asked.
	renewalWait = 10 * time.Minute
	// renewalAnswer is how long it may take to say that it will.
	renewalAnswer = 20 * time.Second
)

// CertificateEnrollmentFields may be filtered in lists of certificate
// enrollments.
func CertificateEnrollmentFields() Fields {
	period := []Operator{LessEqual, GreaterEqual}
	return Fields{
		"device_id":        {Kind: ID, Operators: either},
		"certificate_name": {Kind: Text, Operators: either},
		"enroll_status":    {Kind: Text, Operators: either},
		"enroll_result":    {Kind: Text, Operators: either},
		"created_at":       {Kind: Time, Operators: period},
		"updated_at":       {Kind: Time, Operators: period},
	}
}

// RenewCertificate has a device fetch a new LwM2M certificate by another
// bootstrap. It returns ErrInvalid for a certificate of another name, which has
// no issuer here, ErrConflict while an earlier request is under way,
// ErrUnavailable if the device is not connected or cannot be asked.
func (s *Service) RenewCertificate(ctx context.Context, who Principal, deviceID, name string) (*CertificateEnrollment, error) {
	device, err := ownDevice(ctx, s.store, who, deviceID)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(name, LwM2MCertificateName) {
		return nil, RefuseField("certificate-name", "has no issuer here: the service issues the certificate %s alone", LwM2MCertificateName)
	}
	trigger, err := s.renewalTrigger(ctx, device)
	if err != nil {
		return nil, err
	}
	enrollment, err := s.beginRenewal(ctx, device)
	if err != nil {
		return nil, err
	}
	if err := s.askToBootstrap(ctx, deviceID, trigger); err != nil {
		return nil, errors.Join(err, s.dropEnrollment(ctx, enrollment.ID))
	}
	return enrollment, nil
}

// dropEnrollment forgets a request that did not reach its device, also when
// whoever made it has gone.
func (s *Service) dropEnrollment(ctx context.Context, id string) error {
	ctx = context.WithoutCancel(ctx)
	return s.store.Update(ctx, func(w Writer) error { return w.DeleteCertificateEnrollment(ctx, id) })
}

// renewalTrigger is what to execute on a device so that it bootstraps and is
// the same afterwards.
func (s *Service) renewalTrigger(ctx context.Context, device *Device) ([]string, error) {
	registration, err := s.store.Registration(ctx, device.ID)
	if errors.Is(err, ErrNotFound) {
		return nil, refuseUnconnected()
	}
	if err != nil {
		return nil, err
	}
	trigger := registration.trigger()
	if trigger == nil || !staysItself(device, registration) {
		return nil, Refuse(ErrUnavailable, "the device has no resource by which it could be asked to bootstrap")
	}
	return trigger, nil
}

func refuseUnconnected() error { return Refuse(ErrUnavailable, "the device is not connected") }

// beginRenewal records a request unless one is under way.
func (s *Service) beginRenewal(ctx context.Context, device *Device) (*CertificateEnrollment, error) {
	now := s.now()
	enrollment := &CertificateEnrollment{
		ID:              s.ids.New(),
		AccountID:       device.AccountID,
		DeviceID:        device.ID,
		CertificateName: LwM2MCertificateName,
		Status:          EnrollmentNew,
		CreatedAt:       now,
		UpdatedAt:       now,
	}
	err := s.store.Update(ctx, func(w Writer) error {
		if err := failOverdue(ctx, w, now); err != nil {
			return err
		}
		return w.InsertCertificateEnrollment(ctx, enrollment)
	})
	if errors.Is(err, ErrConflict) {
		return nil, Refuse(ErrConflict, "a renewal of the certificate is in progress")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot record the renewal of a certificate: %w", err)
	}
	return enrollment, nil
}

// askToBootstrap executes the trigger. A device that does not answer counts as
// not connected.
func (s *Service) askToBootstrap(ctx context.Context, deviceID string, trigger []string) error {
	asked, cancel := context.WithTimeout(ctx, renewalAnswer)
	defer cancel()
	accepted, err := s.connections.Execute(asked, deviceID, trigger)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		s.log.DebugContext(ctx, "device not asked to renew its certificate", "device", deviceID, "error", err)
		return refuseUnconnected()
	case !accepted:
		return Refuse(ErrUnavailable, "the device refused to bootstrap now")
	}
	return nil
}

// CertificateEnrollments lists the account's requests to renew certificates.
func (s *Service) CertificateEnrollments(ctx context.Context, who Principal, query Query) (Page[*CertificateEnrollment], error) {
	return s.store.CertificateEnrollments(ctx, who.AccountID, query)
}

// CertificateEnrollment reads a request to renew a certificate.
func (s *Service) CertificateEnrollment(ctx context.Context, who Principal, id string) (*CertificateEnrollment, error) {
	enrollment, err := s.store.CertificateEnrollment(ctx, id)
	if err == nil && enrollment.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return enrollment, err
}

// EndOldRenewals notes which devices did not bootstrap though they were asked,
// and forgets requests that are as old as events may be.
func (s *Service) EndOldRenewals(ctx context.Context) error {
	now := s.now()
	return s.store.Update(ctx, func(w Writer) error {
		if err := failOverdue(ctx, w, now); err != nil {
			return err
		}
		return w.DeleteCertificateEnrollments(ctx, now.Add(-eventRetention))
	})
}

func failOverdue(ctx context.Context, w Writer, now time.Time) error {
	return w.FailCertificateEnrollments(ctx, now.Add(-renewalWait), now, "the device did not bootstrap in time")
}
