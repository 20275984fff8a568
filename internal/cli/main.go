// Package cli is the front door of mbl-cli, the developer's command line. It
// reads flags, asks the hands and the provisioning brain for the work, prints
// what came of it, and turns every failure into one line, a hint and an exit
// code. Nothing here decides how a device is provisioned or how a file is laid
// out. cmd/mbl-cli and the end-to-end tests call it.
package cli

import (
	"context"

	"mbl/internal/iostreams"
)

// Main runs mbl-cli once and returns its exit code. It stops what it is doing
// when ctx ends.
func Main(ctx context.Context, sys *iostreams.System) int {
	return newApp(sys).main(ctx)
}

func (a *app) main(ctx context.Context) int {
	cmd, err := newRootCommand(a).ExecuteContextC(ctx)
	return a.finish(ctx, cmd, err)
}
