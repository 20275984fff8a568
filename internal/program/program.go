// Package program starts a program: it hands the operating system to the
// program's front door and turns its result into the exit code. The mains and
// the end-to-end tests use it, nothing else.
package program

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"mbl/internal/iostreams"
)

// Main is a front door: it runs a program and returns its exit code. ctx ends
// on SIGINT, SIGTERM and SIGHUP.
type Main func(ctx context.Context, sys *iostreams.System) int

// sameRequest is how long after the first signal another one is taken for the
// same request to stop: make, systemd and terminals pass theirs on to programs
// that have got it already.
const sameRequest = time.Second

// Run runs main on the real operating system and exits. The first signal that
// asks it to stop ends the context, so that main can clean up; one that comes
// later than sameRequest kills.
func Run(main Main) {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	killLater(ctx, stop)
	os.Exit(main(ctx, iostreams.OS()))
}

// killLater calls stop, which lets signals kill again, once the request to
// stop is sameRequest old.
func killLater(ctx context.Context, stop func()) {
	context.AfterFunc(ctx, func() { time.AfterFunc(sameRequest, stop) })
}

// stopSignals are those that ask the program to stop. A terminal that closes
// sends SIGHUP; under nohup that is ignored, and stays so.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
