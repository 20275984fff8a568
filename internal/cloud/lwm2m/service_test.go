package lwm2m

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"

	"mbl/internal/cloud"
)

// fakeService grants and decides what it was told to, and remembers what it
// was asked.
type fakeService struct {
	mu sync.Mutex

	grants    []*cloud.BootstrapGrant // one for each bootstrap; none: ErrUnauthorized
	decisions []error                 // one for each registration, update, de-registration; none: nil
	finishing error                   // what BootstrapFinished returns
	unknown   error                   // what RecognizeDevice returns

	bootstraps    []cloud.BootstrapRequest
	finished      []string // device ids
	aborted       []string // reasons
	registrations []cloud.Registration
	updates       []cloud.RegistrationUpdate
	gone          int // de-registrations
}

var errSlow = errors.New("database is locked")

func (f *fakeService) RecognizeBootstrap(context.Context, *x509.Certificate) error { return nil }

func (f *fakeService) Bootstrap(_ context.Context, request cloud.BootstrapRequest) (*cloud.BootstrapGrant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bootstraps = append(f.bootstraps, request)
	if len(f.grants) == 0 {
		return nil, cloud.Refuse(cloud.ErrUnauthorized, "no more grants")
	}
	grant := f.grants[0]
	f.grants = f.grants[1:]
	return grant, nil
}

func (f *fakeService) BootstrapFinished(_ context.Context, grant *cloud.BootstrapGrant) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.finishing == nil {
		f.finished = append(f.finished, grant.DeviceID)
	}
	return f.finishing
}

func (f *fakeService) BootstrapAborted(_ context.Context, _ *cloud.BootstrapGrant, reason string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aborted = append(f.aborted, reason)
	return nil
}

func (f *fakeService) RecognizeDevice(_ context.Context, certificate *x509.Certificate) (cloud.Identity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unknown != nil {
		return cloud.Identity{}, f.unknown
	}
	name := certificate.Subject
	return cloud.Identity{AccountID: name.OrganizationalUnit[0], DeviceID: name.Locality[0], EndpointName: name.CommonName}, nil
}

func (f *fakeService) decide() error {
	if len(f.decisions) == 0 {
		return nil
	}
	decision := f.decisions[0]
	f.decisions = f.decisions[1:]
	return decision
}

func (f *fakeService) Register(_ context.Context, device cloud.Identity, registration cloud.Registration) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.registrations = append(f.registrations, registration)
	return []string{"rd", device.AccountID, device.DeviceID}, f.decide()
}

func (f *fakeService) UpdateRegistration(_ context.Context, _ cloud.Identity, _ []string, update cloud.RegistrationUpdate) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.updates = append(f.updates, update)
	return f.decide()
}

func (f *fakeService) Deregister(context.Context, cloud.Identity, []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone++
	return f.decide()
}
