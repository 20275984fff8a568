package cloud

import (
	"context"
	"strconv"
	"time"
)

// BootstrapService is the only service a developer certificate is for.
const BootstrapService = "bootstrap"

// DeveloperMode is the device execution mode of developer certificates and
// of the devices that came with one.
const DeveloperMode = 1

// TrustedCertificate is a certificate by which devices may bootstrap: a
// developer certificate, which also has a private key, or the certificate of
// one device, which hangs under a developer certificate.
type TrustedCertificate struct {
	ID             string
	AccountID      string
	OwnerID        string
	Name           string // unique in the account
	Description    string
	Service        string
	ExecutionMode  int // DeveloperMode for developer certificates
	EnrollmentMode bool
	Active         bool
	Certificate    []byte // DER
	Fingerprint    string // SHA-256 of Certificate, in hex
	Subject        string // RFC 4514
	Issuer         string // RFC 4514
	NotBefore      time.Time
	NotAfter       time.Time
	EndpointName   string // CN
	SealedKey      []byte // PKCS#8, sealed; nil for one device's
	Version        int64
	CreatedAt      time.Time
	UpdatedAt      time.Time

	// DeveloperCertificateID is the certificate that one device's hangs under;
	// empty for all others.
	DeveloperCertificateID string
}

// OfOneDevice tells whether only one device has the certificate.
func (c *TrustedCertificate) OfOneDevice() bool { return c.DeveloperCertificateID != "" }

// ValidAt tells whether the certificate is within its validity.
func (c *TrustedCertificate) ValidAt(at time.Time) bool {
	return !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

// CertificateFields may be filtered in lists of trusted certificates.
func CertificateFields() Fields {
	return Fields{
		"name":                  {Kind: Text, Operators: []Operator{Equal}},
		"service":               {Kind: Text, Operators: []Operator{Equal}},
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
// directory, but lose their LwM2M certificates, registrations and sessions.
func (s *Service) DeleteTrustedCertificate(ctx context.Context, who Principal, id string) error {
	var cut []*Device
	err := s.store.Update(ctx, func(w Writer) error {
		certificate, err := ownCertificate(ctx, w, who, id)
		if err != nil {
			return err
		}
		doomed, err := certificatesThatGoWith(ctx, w, certificate)
		if err != nil {
			return err
		}
		for _, certificate := range doomed {
			devices, err := s.revokeCertificate(ctx, w, certificate)
			if err != nil {
				return err
			}
			cut = append(cut, devices...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, device := range cut {
		s.connections.Disconnect(device.ID)
	}
	return nil
}

// revokeCertificate deletes one certificate and cuts off its devices, which it
// returns.
func (s *Service) revokeCertificate(ctx context.Context, w Writer, certificate *TrustedCertificate) ([]*Device, error) {
	if err := w.RevokeCertificatesUnder(ctx, certificate.ID, s.now()); err != nil {
		return nil, err
	}
	cut, err := s.cutOffDevices(ctx, w, certificate.AccountID, certificate.ID)
	if err != nil {
		return nil, err
	}
	return cut, w.DeleteCertificate(ctx, certificate.ID)
}

// cutOffDevices ends the registrations of the devices that came with a
// certificate, and returns all of them.
func (s *Service) cutOffDevices(ctx context.Context, w Writer, accountID, certificateID string) ([]*Device, error) {
	var cut []*Device
	query := Query{Conditions: []Condition{where("ca_id", certificateID)}, Limit: 500}
	for {
		page, err := w.Devices(ctx, accountID, query)
		if err != nil {
			return nil, err
		}
		for _, device := range page.Items {
			if err := s.endRegistration(ctx, w, device, EventCertificateDeleted); err != nil {
				return nil, err
			}
			query.After = device.ID
		}
		cut = append(cut, page.Items...)
		if !page.HasMore {
			return cut, nil
		}
	}
}
