// Package program starts a program: it hands the operating system to the
// program's front door and turns its result into the exit code. The mains and
// the end-to-end tests use it, nothing else.
package program

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"mbl/internal/iostreams"
)

// Main is a front door: it runs a program and returns its exit code. ctx ends
// on SIGINT and SIGTERM.
type Main func(ctx context.Context, sys *iostreams.System) int

// Run runs main on the real operating system and exits. The first SIGINT or
// SIGTERM ends the context, so that main can clean up; the second one kills.
func Run(main Main) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(main(ctx, iostreams.OS()))
}
