// Package deviceapp is the front door of mbl-device, which also answers to
// the name pelion-provisioning-util: its arguments, what it prints and its
// exit codes. What the device does is decided in internal/device.
package deviceapp

import (
	"context"
	"fmt"

	"mbl/internal/buildinfo"
	"mbl/internal/iostreams"
)

// Exit codes, the original's.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// Main runs the program and returns its exit code. ctx ends `run` and `check-server`.
func Main(ctx context.Context, sys *iostreams.System) int {
	inv, err := parse(sys.Name, sys.Args)
	if err != nil {
		if sys.Name != utilName {
			fmt.Fprintf(sys.Err, "mbl-device: %v\n", err)
		}
		printUsage(sys)
		return exitUsage
	}
	switch inv.action {
	case actionProvision:
		return provision(sys, inv)
	case actionPelionStatus:
		return pelionStatus(sys, inv)
	case actionStatus:
		return status(sys, inv)
	case actionCheckServer:
		return checkServer(ctx, sys, inv)
	case actionRun:
		return run(ctx, sys, inv)
	case actionVersion:
		fmt.Fprintf(sys.Out, "mbl-device %s\n", buildinfo.Version())
		return exitOK
	default:
		printUsage(sys)
		return exitOK
	}
}
