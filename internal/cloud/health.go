package cloud

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// health remembers whether what should be kept can be written. A full disk or
// one that has become read-only leaves everything readable, so reading tells
// nothing.
type health struct {
	mu      sync.Mutex
	failure error // of the last change that should have succeeded
}

func (h *health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failure = err
}

func (h *health) check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failure
}

// watchedStore is a Store whose failing changes are noticed.
type watchedStore struct {
	Store
	health *health
}

// Update implements Store.
func (s watchedStore) Update(ctx context.Context, change func(Writer) error) error {
	err := s.Store.Update(ctx, change)
	if isStoreFault(ctx, err) {
		s.health.note(err)
	}
	return err
}

// isStoreFault tells a store that cannot write from a change that may not be,
// and from one that nobody waits for any more.
func isStoreFault(ctx context.Context, err error) bool {
	var refusal *Refusal
	return err != nil && ctx.Err() == nil && !errors.As(err, &refusal) &&
		!errors.Is(err, ErrNotFound) && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrSealKey)
}

// Ready tells whether the Service can answer and keep what it is told: its
// store can be read, and the last change to it did not fail.
func (s *Service) Ready(ctx context.Context) error {
	if _, err := s.store.FirstAccount(ctx); err != nil {
		return err
	}
	if err := s.health.check(); err != nil {
		return fmt.Errorf("cannot write to the store: %w", err)
	}
	return nil
}

// ProveWritable writes to the store, so that Ready tells of trouble before
// anybody loses anything by it, and of its end. Call it from time to time.
func (s *Service) ProveWritable(ctx context.Context) error {
	err := s.store.Update(ctx, func(w Writer) error { return w.SaveProof(ctx, s.now()) })
	if ctx.Err() == nil {
		s.health.note(err)
	}
	return err
}
