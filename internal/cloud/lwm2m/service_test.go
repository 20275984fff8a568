package lwm2m

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"time"

	"mbl/internal/cloud"
)

// fakeService grants and decides what it was told to, and remembers what it
// was asked.
type fakeService struct {
	mu sync.Mutex

	grants    []*cloud.BootstrapGrant // one for each bootstrap; none: ErrUnauthorized
	decisions []error                 // one for each registration, update, de-registration; none: nil
	finishing error                   // what BootstrapFinished returns
	refusals  chan string             // the devices that it refused; may be nil
	unknown   error                   // what RecognizeDevice returns
	cutOff    func(deviceID string)   // what happens right after RecognizeDevice has looked; may be nil

	from          []string // where the devices are that asked AdmitDevice
	bootstraps    []cloud.BootstrapRequest
	finished      []string // device ids
	aborted       []string // reasons
	registrations []cloud.Registration
	updates       []cloud.RegistrationUpdate
	gone          int // de-registrations

	certificate []byte                                   // what Enroll returns
	enrolled    [][]byte                                 // certificate requests
	trigger     []string                                 // what RenewalTrigger returns
	ends        []time.Time                              // of the registration, one for each look; none: it is not registered
	registered  func(cloud.Identity, cloud.Registration) // is told of each registration; may be nil
}

var errSlow = errors.New("database is locked")

func (f *fakeService) RecognizeBootstrap(context.Context, *x509.Certificate, []*x509.Certificate, string) error {
	return nil
}

func (f *fakeService) BootstrapKey(context.Context, string) ([]byte, error) { return nil, f.unknown }

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
	switch {
	case f.finishing == nil:
		f.finished = append(f.finished, grant.DeviceID)
	case f.refusals != nil:
		f.refusals <- grant.DeviceID
	}
	return f.finishing
}

func (f *fakeService) BootstrapAborted(_ context.Context, _ *cloud.BootstrapGrant, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aborted = append(f.aborted, reason)
}

func (f *fakeService) Enroll(_ context.Context, grant *cloud.BootstrapGrant, request []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.enrolled = append(f.enrolled, request)
	if f.finishing == nil {
		f.finished = append(f.finished, grant.DeviceID)
	}
	return f.certificate, f.finishing
}

func (f *fakeService) RecognizeDevice(_ context.Context, certificate *x509.Certificate) (cloud.Identity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unknown != nil {
		return cloud.Identity{}, f.unknown
	}
	name := certificate.Subject
	if f.cutOff != nil {
		f.cutOff(name.Locality[0])
	}
	return cloud.Identity{AccountID: name.OrganizationalUnit[0], DeviceID: name.Locality[0], EndpointName: name.CommonName}, nil
}

func (f *fakeService) AdmitDevice(_ context.Context, _ *x509.Certificate, _ []*x509.Certificate, remoteAddr string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from = append(f.from, remoteAddr)
	return f.unknown
}

func (f *fakeService) RenewalTrigger(context.Context, cloud.Identity, *x509.Certificate) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trigger, nil
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
	if f.registered != nil {
		f.registered(device, registration)
	}
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

func (f *fakeService) RegistrationEnd(context.Context, string) (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ends) == 0 {
		return time.Time{}, cloud.ErrNotFound
	}
	end := f.ends[0]
	f.ends = f.ends[1:]
	return end, nil
}
