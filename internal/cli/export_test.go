package cli

import (
	"context"
	"time"

	"mbl/internal/iostreams"
	"mbl/internal/ssh/transfer"
)

// MainWithin is Main with less patience for the service.
func MainWithin(ctx context.Context, sys *iostreams.System, patience time.Duration) int {
	a := newApp(sys)
	a.patience = patience
	return a.main(ctx)
}

// DrawCopy draws how far a copy is, as get and put do, over and over.
func DrawCopy(sys *iostreams.System, steps []transfer.Progress) {
	bar := newApp(sys).newCopyBar()
	for _, step := range steps {
		bar.show(step)
		bar.began = time.Time{}      // the next one is drawn at once
		time.Sleep(progressInterval) // more often it does not draw
	}
	bar.clear()
}
