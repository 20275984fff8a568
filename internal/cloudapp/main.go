// Package cloudapp is the front door of mbl-cloud: flags, the data folder,
// the listeners, and the wiring of the brain (cloud) to its memory
// (cloud/store) and its doors (cloud/restapi, cloud/lwm2m).
package cloudapp

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"mbl/internal/buildinfo"
	"mbl/internal/iostreams"
	"mbl/internal/subcommand"
	"mbl/internal/usererr"
)

// exitFailure is the exit code for everything but wrong use.
const exitFailure = 1

// app is one run of the program.
type app struct {
	sys     *iostreams.System
	data    string // --data
	verbose bool
	started bool // flags and arguments were right
}

// Main is mbl-cloud.
func Main(ctx context.Context, sys *iostreams.System) int {
	a := &app{sys: sys}
	err := a.command().ExecuteContext(ctx)
	if err == nil {
		return usererr.ExitOK
	}
	told := a.explain(err)
	told.Tell(sys.Err, "mbl-cloud")
	return told.Code
}

// explain turns any failure into what a person is told.
func (a *app) explain(err error) *usererr.Error {
	var told *usererr.Error
	switch {
	case errors.As(err, &told):
		return told
	case !a.started:
		return usererr.Usage("%w", err).WithHint("`mbl-cloud --help` explains it")
	default:
		return usererr.New(exitFailure, "%w", err)
	}
}

// failure is a failure told to a person.
func failure(format string, args ...any) *usererr.Error {
	return usererr.New(exitFailure, format, args...)
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "mbl-cloud",
		Short:         "A Device Management service of your own",
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
	root.SetArgs(a.sys.Args)
	root.SetIn(a.sys.In)
	root.SetOut(a.sys.Out)
	root.SetErr(a.sys.Err)
	root.PersistentFlags().StringVar(&a.data, "data", a.defaultData(), "`DIR` with everything the service keeps")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "log every request")
	root.AddCommand(newServeCommand(a), newAPIKeyCommand(a), newCACommand(a), newAuditCommand(a), newBackupCommand(a), newRestoreCommand(a))
	subcommand.Require(root)
	return root
}

// defaultData is where data lives by the XDG Base Directory Specification;
// nowhere without a home folder, which services of the system have not.
func (a *app) defaultData() string {
	if shared := a.sys.Getenv("XDG_DATA_HOME"); filepath.IsAbs(shared) {
		return filepath.Join(shared, "mbl-cloud")
	}
	if home := a.sys.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "share", "mbl-cloud")
	}
	return ""
}

func (a *app) logger() *slog.Logger {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.sys.Err, &slog.HandlerOptions{Level: level}))
}
