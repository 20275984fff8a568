// Package sandbox is the front door of mbl-sandbox: virtual devices, and a
// service with them, on one machine, for trying things out and for CI. It runs
// the real programs as processes and adds what they talk to: an SSH server, a
// file tree, an mDNS announcement. Everything listens on loopback only. It
// proves that the parts fit each other, not that a real device would agree.
package sandbox

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"mbl/internal/buildinfo"
	"mbl/internal/iostreams"
	"mbl/internal/subcommand"
	"mbl/internal/usererr"
)

// Main runs mbl-sandbox and returns its exit code. The end of ctx is the usual
// end of a device or of "up": they stop what they started and leave with 0.
func Main(ctx context.Context, sys *iostreams.System) int {
	a := &app{sys: sys}
	root := newRootCommand(a)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return usererr.ExitOK
	}
	told := explain(err, a.started)
	told.Tell(sys.Err, "mbl-sandbox")
	return told.Code
}

func explain(err error, started bool) *usererr.Error {
	var told *usererr.Error
	switch {
	case errors.As(err, &told):
		return told
	case !started:
		return usererr.Usage("%w", err).WithHint("`mbl-sandbox --help` explains it")
	}
	return usererr.Failure("%w", err)
}

// app is one run of mbl-sandbox.
type app struct {
	sys     *iostreams.System
	verbose bool
	started bool // flags and arguments were right, the command runs
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "mbl-sandbox",
		Short:         "A service and virtual devices on this machine, to try things out",
		Version:       buildinfo.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.ValidateRequiredFlags(); err != nil {
				return err
			}
			a.started = true
			return nil
		},
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetArgs(a.sys.Args)
	root.SetIn(a.sys.In)
	root.SetOut(a.sys.Out)
	root.SetErr(a.sys.Err)
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "show what is done")
	root.AddCommand(newDemoCommand(a), newDeviceCommand(a), newSwarmCommand(a), newUpCommand(a))
	subcommand.Require(root)
	return root
}

// log is where details go: standard error with -v, warnings only without.
func (a *app) log() *slog.Logger {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.sys.Err, &slog.HandlerOptions{Level: level}))
}
