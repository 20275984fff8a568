package cloud

import (
	"context"
	"time"

	"mbl/internal/pki"
)

// Census is what an operator wants to know of the whole service now.
type Census struct {
	Devices  map[DeviceState]int // a state of this service is there even if no device has it
	Expiring []Expiring
}

// Expiring says how many certificates in force end soon.
type Expiring struct {
	Kind   string // trusted, device or authority
	Within time.Duration
	Count  int
}

const day = 24 * time.Hour

// expiryWarnings are how long before their end certificates are counted.
var expiryWarnings = []time.Duration{30 * day, 7 * day, day}

// Census counts. It is quick however many devices there are.
func (s *Service) Census(ctx context.Context) (Census, error) {
	counts, err := s.store.DeviceCounts(ctx)
	if err != nil {
		return Census{}, err
	}
	census := Census{Devices: map[DeviceState]int{
		StateUnenrolled: 0, StateCloudEnrolling: 0, StateBootstrapped: 0, StateRegistered: 0, StateDeregistered: 0,
	}}
	for state, count := range counts {
		census.Devices[state] = count
	}
	for _, within := range expiryWarnings {
		expiring, err := s.expiring(ctx, within)
		if err != nil {
			return Census{}, err
		}
		census.Expiring = append(census.Expiring, expiring...)
	}
	return census, nil
}

func (s *Service) expiring(ctx context.Context, within time.Duration) ([]Expiring, error) {
	now := s.now()
	end := now.Add(within)
	trusted, err := s.store.CountCertificatesEnding(ctx, now, end)
	if err != nil {
		return nil, err
	}
	devices, err := s.store.CountDeviceCertificatesEnding(ctx, now, end)
	if err != nil {
		return nil, err
	}
	authorities := 0
	for _, authority := range s.authorities {
		certificate, err := pki.ParseCertificate(authority.record.Certificate)
		if err != nil {
			return nil, err
		}
		if certificate.NotAfter.After(now) && !certificate.NotAfter.After(end) {
			authorities++
		}
	}
	return []Expiring{{"trusted", within, trusted}, {"device", within, devices}, {"authority", within, authorities}}, nil
}
