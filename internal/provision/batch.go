package provision

import (
	"context"
	"errors"
	"sync"

	"mbl/internal/credential"
)

// Batch provisions devices, one or many, with one pair of certificates.
type Batch struct {
	station *Workstation
	set     *certificates

	mu        sync.Mutex // completing the certificates waits for nobody else to do it
	completed bool
	failure   error // why the certificates cannot be completed
}

// Job is one device of a batch.
type Job struct {
	Connect  func(ctx context.Context) (Connection, error)
	Again    bool       // provision it even if it has these credentials
	Progress func(Step) // called before each step; may be nil
}

// CertificateError is a failure that concerns every device of a batch: the
// certificates cannot be had.
type CertificateError struct{ Err error }

func (e *CertificateError) Error() string { return e.Err.Error() }

func (e *CertificateError) Unwrap() error { return e.Err }

// Prepare finds and checks what can be found and checked without a device, and
// changes nothing.
func (w *Workstation) Prepare(ctx context.Context, plan Plan) (*Batch, error) {
	set, err := w.collect(ctx, plan)
	if err != nil {
		return nil, err
	}
	return &Batch{station: w, set: set}, nil
}

// Resume is Prepare for a plan that may have been carried out in part: a
// certificate that was to be created and is in the team store is used.
func (w *Workstation) Resume(ctx context.Context, plan Plan) (*Batch, error) {
	batch, err := w.Prepare(ctx, plan)
	if plan.Create && errors.Is(err, ErrCreated) {
		plan.Create = false
		return w.Prepare(ctx, plan)
	}
	return batch, err
}

// Provision contacts a device and gives it the credentials, those of the batch or its own. The first device
// that answers makes the batch create and store what is to be created; a
// failure of that is a CertificateError, for this device and all later ones.
// It may be called from several goroutines.
func (b *Batch) Provision(ctx context.Context, job Job) (*Result, error) {
	result := &Result{}
	tell(job.Progress, StepContact)
	device, err := job.Connect(ctx)
	if err != nil {
		return result, err
	}
	defer device.Close()
	if b.set.plan.DryRun {
		return result, b.rehearse(ctx, device, job, result)
	}
	err = b.complete(ctx)
	result.Source = b.set.source
	if err != nil {
		return result, &CertificateError{err}
	}
	developer, err := b.credentials(ctx, device, job, result)
	if err != nil || result.Already {
		return result, err
	}
	tell(job.Progress, StepSend)
	result.Sent = true
	result.Answer, err = Send(ctx, device, append(developer.Variables(), b.set.update.Variables()...))
	if err != nil {
		return result, err
	}
	result.Named = b.station.nameDevice(ctx, result.Answer)
	return result, nil
}

// rehearse asks the device whether it can be provisioned, and fills in what is
// known of what it would get.
func (b *Batch) rehearse(ctx context.Context, device Device, job Job, result *Result) error {
	if _, err := Ask(ctx, device); err != nil && !errors.Is(err, ErrNotConfigured) {
		return err
	}
	result.Source = b.set.source
	if b.set.developer == nil {
		result.Source = Created
		return nil
	}
	result.AccountID = b.set.developer.AccountID
	if b.set.plan.PerDevice {
		already, err := b.set.hasOwn(ctx, askState(ctx, device))
		result.Already = already && !job.Again
		return err
	}
	result.EndpointName = b.set.developer.EndpointName
	result.Already = !job.Again && b.has(ctx, device)
	return nil
}

// credentials are what the device gets. It fills in what they say of the device,
// or that it has them already.
func (b *Batch) credentials(ctx context.Context, device Device, job Job, result *Result) (*credential.Developer, error) {
	if b.set.plan.PerDevice {
		return b.ownCredentials(ctx, device, job, result)
	}
	developer := b.set.developer
	result.EndpointName, result.AccountID = developer.EndpointName, developer.AccountID
	result.Already = !job.Again && b.has(ctx, device)
	return developer, nil
}

func (b *Batch) ownCredentials(ctx context.Context, device Device, job Job, result *Result) (own *credential.Developer, err error) {
	state := askState(ctx, device)
	result.AccountID = b.set.developer.AccountID
	if !job.Again {
		if result.Already, err = b.set.hasOwn(ctx, state); err != nil {
			return nil, err
		}
	}
	if result.Already {
		result.EndpointName = state.EndpointName
		return nil, nil
	}
	tell(job.Progress, StepSign)
	if own, result.OwnID, err = b.set.sign(ctx, state); err != nil {
		return nil, err
	}
	result.EndpointName = own.EndpointName
	return own, nil
}

// complete does once what changes something here or in the service.
func (b *Batch) complete(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.completed {
		b.completed = true
		b.failure = b.station.complete(ctx, b.set)
	}
	return b.failure
}

// has tells whether a device has the developer certificate already. One that
// does not say, as with the original util alone, counts as having not.
func (b *Batch) has(ctx context.Context, device Device) bool {
	if b.set.source == Created {
		return false // nothing had it before this run
	}
	state := askState(ctx, device)
	return state != nil && state.holds(b.set.developer)
}

func (s *State) holds(developer *credential.Developer) bool {
	sameAccount := developer.AccountID == "" || s.AccountID == developer.AccountID
	return s.Provisioned && s.Problem == "" && s.EndpointName == developer.EndpointName && sameAccount
}
