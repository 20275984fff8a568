package cloud

import (
	"context"
	"time"
)

// HealthWriter writes what proves that the store can be written to.
type HealthWriter interface {
	// SaveProof writes a time in place of the one before.
	SaveProof(ctx context.Context, at time.Time) error
}
