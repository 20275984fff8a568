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

// Provision contacts a device and gives it the credentials. The first device
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
	err = b.complete(ctx)
	result.Source = b.set.source
	if err != nil {
		return result, &CertificateError{err}
	}
	developer := b.set.developer
	result.EndpointName, result.AccountID = developer.EndpointName, developer.AccountID
	if !job.Again && b.has(ctx, device) {
		result.Already = true
		return result, nil
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
