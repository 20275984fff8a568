package cloud

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Enrollment is an account's claim to a device that comes by an authority in
// enrollment mode: such a device belongs to whoever claimed it first.
type Enrollment struct {
	ID        string
	AccountID string
	Identity  string // "A-" and the SHA-256 of the device's bootstrap certificate, ab:cd:…; unique in the whole service
	CreatedAt time.Time
	ExpiresAt time.Time // it ends then unless the device has come
	ClaimedAt time.Time // when the device came; zero if it has not
	DeviceID  string    // empty until then
}

// enrollmentPeriod is how long a claim waits for its device.
const enrollmentPeriod = 365 * 24 * time.Hour

var enrollmentIdentity = regexp.MustCompile(`^A-(?:[0-9a-f]{2}:){31}[0-9a-f]{2}$`)

// ClaimDevice claims a device by its enrollment identity. It returns ErrInvalid
// for a malformed one, ErrConflict if the device is claimed already, by whomever.
func (s *Service) ClaimDevice(ctx context.Context, who Principal, identity string) (*Enrollment, error) {
	if strings.HasPrefix(identity, "A-") {
		identity = "A-" + strings.ToLower(identity[2:])
	}
	if !enrollmentIdentity.MatchString(identity) {
		return nil, RefuseField("enrollment_identity", "is not A- and the SHA-256 fingerprint of a certificate, with colons")
	}
	now := s.now()
	claim := &Enrollment{
		ID: s.ids.New(), AccountID: who.AccountID, Identity: identity, CreatedAt: now, ExpiresAt: now.Add(enrollmentPeriod),
	}
	err := s.store.Update(ctx, func(w Writer) error {
		if err := w.DeleteExpiredEnrollments(ctx, now); err != nil {
			return err
		}
		if err := w.InsertEnrollment(ctx, claim); err != nil {
			return err
		}
		return w.InsertAuditRecord(ctx, s.auditRecord(who, "claim device", claim.ID))
	})
	if errors.Is(err, ErrConflict) {
		return nil, refuseTaken("enrollment_identity", "the device is claimed already")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot claim a device: %w", err)
	}
	return claim, nil
}

// Enrollments lists the account's claims.
func (s *Service) Enrollments(ctx context.Context, who Principal, query Query) (Page[*Enrollment], error) {
	return s.store.Enrollments(ctx, who.AccountID, query)
}

// Enrollment reads a claim.
func (s *Service) Enrollment(ctx context.Context, who Principal, id string) (*Enrollment, error) {
	return ownEnrollment(ctx, s.store, who, id)
}

func ownEnrollment(ctx context.Context, r Reader, who Principal, id string) (*Enrollment, error) {
	claim, err := r.Enrollment(ctx, id)
	if err == nil && claim.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return claim, err
}

// DeleteEnrollment gives a claim up, for another account to make. A device that
// has come stays until it bootstraps again.
func (s *Service) DeleteEnrollment(ctx context.Context, who Principal, id string) error {
	return s.store.Update(ctx, func(w Writer) error {
		if _, err := ownEnrollment(ctx, w, who, id); err != nil {
			return err
		}
		if err := w.DeleteEnrollment(ctx, id); err != nil {
			return err
		}
		return w.InsertAuditRecord(ctx, s.auditRecord(who, "give up claim to device", id))
	})
}

// applyClaim makes a device that comes by an authority in enrollment mode the
// account's that claimed it.
func (s *Service) applyClaim(ctx context.Context, proved *proof, presented *x509.Certificate) error {
	if !proved.certificate.EnrollmentMode {
		return nil
	}
	identity := "A-" + strings.ToLower(colonHex(fingerprint(presented.Raw)))
	claim, err := s.store.EnrollmentOf(ctx, identity)
	if errors.Is(err, ErrNotFound) || err == nil && claim.DeviceID == "" && s.now().After(claim.ExpiresAt) {
		return Refuse(ErrUnauthorized, "nobody has claimed the device")
	}
	if err != nil {
		return err
	}
	proved.claim, proved.accountID = claim, claim.AccountID
	return nil
}

// settleClaim records that a claimed device has come.
func (p *proof) settleClaim(ctx context.Context, w Writer, deviceID string, at time.Time) error {
	if p.claim == nil {
		return nil
	}
	claim, err := w.Enrollment(ctx, p.claim.ID)
	if errors.Is(err, ErrNotFound) {
		return Refuse(ErrNotFound, "the claim to the device was given up")
	}
	if err != nil {
		return err
	}
	if claim.ClaimedAt.IsZero() {
		claim.ClaimedAt = at
	}
	claim.DeviceID = deviceID
	return w.UpdateEnrollment(ctx, claim)
}
