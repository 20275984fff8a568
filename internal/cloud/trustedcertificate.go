package cloud

import (
	"context"
	"strconv"
	"time"
)

// BootstrapService is the service of certificates by which devices bootstrap:
// the only one a developer certificate is for.
const BootstrapService = "bootstrap"

// DeveloperMode is the device execution mode of developer certificates and
// of the devices that came with one.
const DeveloperMode = 1

// TrustedCertificate is a certificate by which devices may bootstrap: a
// developer certificate, which also has a private key, the certificate of one
// device, which hangs under a developer certificate, or one that a user
// uploaded: an authority that signs devices' certificates, or a single device's.
type TrustedCertificate struct {
	ID             string
	AccountID      string
	OwnerID        string
	Name           string // unique in the account
	Description    string
	Service        string // BootstrapService or LwM2MService
	ExecutionMode  int    // DeveloperMode for what was made here, FactoryMode for uploaded ones
	EnrollmentMode bool
	Active         bool
	Certificate    []byte // DER
	Fingerprint    string // SHA-256 of Certificate, in hex
	Subject        string // RFC 4514
	Issuer         string // RFC 4514
	NotBefore      time.Time
	NotAfter       time.Time
	EndpointName   string // CN; empty for an authority
	SealedKey      []byte // PKCS#8, sealed; of developer certificates only
	Version        int64
	CreatedAt      time.Time
	UpdatedAt      time.Time

	// DeveloperCertificateID is the certificate that one device's hangs under;
	// empty for all others.
	DeveloperCertificateID string

	// AuthoritySubject is the SHA-256 of the subject in DER, in hex, of an
	// uploaded authority; empty for all others.
	AuthoritySubject string
}

// CertificateVersion tells whether a trusted certificate is still the same: each
// change has another one.
type CertificateVersion struct {
	ID      string
	Version int64
}

// CertificateState is whether a trusted certificate counts.
type CertificateState struct {
	Service string // as TrustedCertificate.Service
	Active  bool
}

// IsAuthority tells whether devices come with certificates that this one signed,
// and never with this one itself.
func (c *TrustedCertificate) IsAuthority() bool { return c.AuthoritySubject != "" }

// OfOneDevice tells whether only one device has the certificate, which hangs
// under a developer certificate.
func (c *TrustedCertificate) OfOneDevice() bool { return c.DeveloperCertificateID != "" }

// ValidAt tells whether the certificate is within its validity.
func (c *TrustedCertificate) ValidAt(at time.Time) bool {
	return !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

// CertificateFields may be filtered in lists of trusted certificates.
func CertificateFields() Fields {
	return Fields{
		"name":                  {Kind: Text, Operators: []Operator{Equal}},
		"service":               {Kind: Lower, Operators: []Operator{Equal}},
		"owner":                 {Kind: ID, Operators: []Operator{Equal}},
		"status":                {Kind: Text, Operators: []Operator{Equal}},
		"enrollment_mode":       {Kind: Boolean, Operators: []Operator{Equal}},
		"device_execution_mode": {Kind: Integer, Operators: either},
		"issuer":                {Kind: Text, Operators: []Operator{Like}},
		"subject":               {Kind: Text, Operators: []Operator{Like}},
		"valid":                 {Kind: Boolean, Operators: []Operator{Equal}},
		"expire":                {Kind: Integer, Operators: []Operator{Equal}},

		"endpoint_name":            {Kind: Text, Operators: []Operator{Equal}},
		"developer_certificate_id": {Kind: ID, Operators: []Operator{Equal}},
	}
}

// TrustedCertificates lists the account's certificates.
func (s *Service) TrustedCertificates(ctx context.Context, who Principal, query Query) (Page[*TrustedCertificate], error) {
	conditions := make([]Condition, 0, len(query.Conditions))
	for _, condition := range query.Conditions {
		translated, err := s.translateValidity(condition)
		if err != nil {
			return Page[*TrustedCertificate]{}, err
		}
		conditions = append(conditions, translated)
	}
	query.Conditions = conditions
	return s.store.Certificates(ctx, who.AccountID, query)
}

// maxExpireDays keeps a number of days within what a time can hold.
const maxExpireDays = 365 * 1000

// translateValidity turns "valid" and "expires within so many days" into a
// comparison of the end of validity.
func (s *Service) translateValidity(condition Condition) (Condition, error) {
	switch condition.Field {
	case "valid":
		operator, end := LessEqual, s.now().Add(-time.Microsecond)
		if condition.Values[0].(bool) {
			operator, end = GreaterEqual, s.now()
		}
		return Condition{Field: "validity", Operator: operator, Values: []any{end}}, nil
	case "expire":
		days := condition.Values[0].(int64)
		if days < 0 || days > maxExpireDays {
			return Condition{}, RefuseField("expire__eq", "is not a number of days up to %s", strconv.Itoa(maxExpireDays))
		}
		end := s.now().AddDate(0, 0, int(days))
		return Condition{Field: "validity", Operator: LessEqual, Values: []any{end}}, nil
	default:
		return condition, nil
	}
}

// TrustedCertificate reads a certificate.
func (s *Service) TrustedCertificate(ctx context.Context, who Principal, id string) (*TrustedCertificate, error) {
	return ownCertificate(ctx, s.store, who, id)
}

func ownCertificate(ctx context.Context, r Reader, who Principal, id string) (*TrustedCertificate, error) {
	certificate, err := r.Certificate(ctx, id)
	if err != nil {
		return nil, err
	}
	if certificate.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return certificate, nil
}

// DeleteTrustedCertificate deletes a certificate, and with a developer
// certificate those of single devices under it. The devices stay in the
// directory, but lose their LwM2M certificates, registrations and sessions. It
// returns ErrNotFound, or ErrForbidden for an uploaded certificate if the caller
// is no administrator.
func (s *Service) DeleteTrustedCertificate(ctx context.Context, who Principal, id string) error {
	var cut cutOff
	err := s.store.Update(ctx, func(w Writer) error {
		certificate, err := ownCertificate(ctx, w, who, id)
		if err != nil {
			return err
		}
		if err := checkMayManage(who, certificate); err != nil {
			return err
		}
		doomed, err := certificatesThatGoWith(ctx, w, certificate)
		if err != nil {
			return err
		}
		for _, certificate := range doomed {
			if err := s.revokeCertificate(ctx, w, certificate, &cut); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.disconnect(cut)
	return nil
}

// revokeCertificate deletes one certificate and adds its devices to those that
// are cut off.
func (s *Service) revokeCertificate(ctx context.Context, w Writer, certificate *TrustedCertificate, cut *cutOff) error {
	if err := w.RevokeCertificatesUnder(ctx, certificate.ID, s.now()); err != nil {
		return err
	}
	err := eachDeviceUnder(ctx, w, certificate, func(device *Device) error {
		if err := cut.add(ctx, w, device); err != nil {
			return err
		}
		return s.endRegistration(ctx, w, device, EventCertificateDeleted)
	})
	if err != nil {
		return err
	}
	return w.DeleteCertificate(ctx, certificate.ID)
}
