package deviceapp

import (
	"context"

	"mbl/internal/iostreams"
)

// Main is replaced by the owner of this package.
func Main(ctx context.Context, sys *iostreams.System) int { return 0 }
