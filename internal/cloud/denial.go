package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Denial is a bootstrap that was refused although the service knows the
// certificate, such as one that is not active. A device that comes again and
// again has one, which tells of the last time.
type Denial struct {
	ID            string
	AccountID     string
	CertificateID string // the trusted certificate
	EndpointName  string
	At            time.Time
}

// maxDenials is how many denials an account keeps, the latest ones: whoever
// holds the key of an authority could make up names without end.
const maxDenials = 1000

// DenialFields may be filtered in the list of denials.
func DenialFields() Fields {
	return Fields{
		"trusted_certificate_id": {Kind: ID, Operators: []Operator{Equal}},
		"endpoint_name":          {Kind: Text, Operators: []Operator{Equal}},
	}
}

// Denials lists the denials of one trusted certificate, which the query has to
// name. It returns ErrNotFound if the denial to go on after does not exist.
func (s *Service) Denials(ctx context.Context, who Principal, query Query) (Page[*Denial], error) {
	named := false
	for _, condition := range query.Conditions {
		named = named || condition.Field == "trusted_certificate_id"
	}
	if !named {
		return Page[*Denial]{}, RefuseField("trusted_certificate_id__eq", "is missing")
	}
	if query.After != "" {
		if _, err := s.Denial(ctx, who, query.After); err != nil {
			return Page[*Denial]{}, err
		}
	}
	return s.store.Denials(ctx, who.AccountID, query)
}

// Denial reads a denial.
func (s *Service) Denial(ctx context.Context, who Principal, id string) (*Denial, error) {
	denial, err := s.store.Denial(ctx, id)
	if err == nil && denial.AccountID != who.AccountID {
		return nil, ErrNotFound
	}
	return denial, err
}

// deny records that a device with a known certificate was refused in the
// handshake, where it has not said who it is, and returns the refusal.
func (s *Service) deny(ctx context.Context, proved *proof, kind EventType, remoteAddr string, refusal *Refusal) error {
	holder, err := proved.soleDevice(ctx, s.store)
	if err != nil {
		return err
	}
	request := BootstrapRequest{RemoteAddr: remoteAddr}
	if holder != nil {
		request.DeviceID = holder.ID
	}
	if err := s.recordRefusal(ctx, proved, kind, request, refusal); err != nil {
		return err
	}
	return refusal
}

// soleDevice is the device that has the certificate, if only one can have it.
func (p *proof) soleDevice(ctx context.Context, r Reader) (*Device, error) {
	if !p.ofOneDevice() {
		return nil, nil
	}
	return p.holder(ctx, r)
}

// recordDenial records a refusal of a certificate's device, now and then.
func (s *Service) recordDenial(ctx context.Context, proved *proof) error {
	if proved.certificate == nil {
		return nil
	}
	now := s.now()
	before, err := s.store.DenialOf(ctx, proved.certificateID(), proved.endpointName)
	if err == nil && now.Sub(before.At) < refusalPeriod {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	denial := &Denial{
		ID:            s.ids.New(),
		AccountID:     proved.accountID,
		CertificateID: proved.certificateID(),
		EndpointName:  proved.endpointName,
		At:            now,
	}
	err = s.store.Update(ctx, func(w Writer) error {
		if err := w.SaveDenial(ctx, denial); err != nil {
			return err
		}
		return w.TrimDenials(ctx, proved.accountID, maxDenials)
	})
	if err != nil {
		return fmt.Errorf("cannot record a denied bootstrap: %w", err)
	}
	return nil
}
