package device

import (
	"sync/atomic"
	"time"
)

// stepSlack is added to what a step may take: a loaded machine is not a stuck
// program.
const stepSlack = time.Minute

// Health tells whether a running device makes progress: before each step it
// says how long the step may take at most. The zero value is healthy.
type Health struct{ deadline atomic.Pointer[time.Time] }

// IsStuck tells whether the present step should have ended long ago.
func (h *Health) IsStuck() bool {
	deadline := h.deadline.Load()
	return deadline != nil && time.Now().After(*deadline)
}

// expect begins a step that ends within limit.
func (a *agent) expect(limit time.Duration) {
	if a.Health == nil {
		return
	}
	deadline := time.Now().Add(limit + stepSlack)
	a.Health.deadline.Store(&deadline)
}
