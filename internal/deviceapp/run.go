package deviceapp

import (
	"context"
	"fmt"
	"log/slog"

	"mbl/internal/buildinfo"
	"mbl/internal/device"
	"mbl/internal/iostreams"
	"mbl/internal/keystore"
)

// run is `mbl-device run`: it returns when ctx ends, after de-registering.
func run(ctx context.Context, sys *iostreams.System, inv invocation) int {
	log := newLog(sys, inv.verbose)
	present, err := announce(inv.stateDir())
	if err != nil {
		fmt.Fprintf(sys.Err, "mbl-device: cannot run on %s: %v\n", inv.stateDir(), err)
		return exitFailure
	}
	err = device.Run(ctx, device.Config{
		Store:     keystore.NewFile(inv.keystoreDir()),
		Log:       log,
		Version:   buildinfo.Version(),
		Lifetime:  inv.lifetime,
		RetryBase: inv.retryBase,
		KeepAlive: inv.keepAlive,
		Report: func(state device.State) {
			if err := present.set(state); err != nil {
				log.Warn("cannot write the run state", "err", err)
			}
		},
	})
	if err != nil {
		log.Error("stopped", "err", err)
	}
	if removed := present.withdraw(); removed != nil {
		log.Warn("cannot remove the run state", "err", removed)
	}
	if err != nil {
		return exitFailure
	}
	return exitOK
}

func newLog(sys *iostreams.System, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(sys.Err, &slog.HandlerOptions{Level: level}))
}
