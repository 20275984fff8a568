package cli

import (
	"context"
	"time"

	"mbl/internal/iostreams"
)

// MainWithin is Main with less patience for the service.
func MainWithin(ctx context.Context, sys *iostreams.System, patience time.Duration) int {
	a := newApp(sys)
	a.patience = patience
	return a.main(ctx)
}
