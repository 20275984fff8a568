package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mbl/internal/sandbox/shell"
	"mbl/internal/usererr"
)

// stopTime is how long a program may take to stop before it is killed.
const stopTime = 5 * time.Second

// actorStopTime is the same for a service or a virtual device: longer, since a
// device that is killed while it waits for its own program leaves that behind,
// writing into the folder that is to be removed.
const actorStopTime = 4 * stopTime

// findProgram finds a program of the project: beside this one, else in PATH.
func (a *app) findProgram(name string) (string, error) {
	if own, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(own), name)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return beside, nil
		}
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", usererr.Failure("cannot find the program %s", name).
			WithHint("it belongs beside mbl-sandbox: `make build` puts both in bin/").Because(err)
	}
	return filepath.Abs(found)
}

// newProcess is a program that is asked to stop when ctx ends, killed if it
// does not, and never outlives this program.
func newProcess(ctx context.Context, file string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopTime
	dieWithParent(cmd)
	return cmd
}

// devicePrograms are the real programs a virtual device has: mbl-device, under
// both its names, kept to the device's tree in dir.
func devicePrograms(file, dir string) map[string]shell.Program {
	run := func(ctx context.Context, args []string, stdio shell.Stdio) int {
		return runDeviceProgram(ctx, file, dir, args, stdio)
	}
	return map[string]shell.Program{utilFile: run, programFile: run}
}

// deviceArguments are all that somebody logged in may pass on. The program
// would follow a path given with another flag to anywhere on the host.
var deviceArguments = []string{
	"--provision", "--get-pelion-status", "--help", "-h", "--version", "-V", "--verbose", "-v", "status", "--json",
	"check-server",
}

// serverArgument names the server that check-server tries: an address, no path.
const serverArgument = "--server="

func isDeviceArgument(arg string) bool {
	return slices.Contains(deviceArguments, arg) || strings.HasPrefix(arg, serverArgument)
}

func runDeviceProgram(ctx context.Context, file, dir string, args []string, stdio shell.Stdio) int {
	name := path.Base(args[0])
	for _, arg := range args[1:] {
		if !isDeviceArgument(arg) {
			fmt.Fprintf(stdio.Err, "%s: %q is not for a virtual device\n", name, arg)
			return usererr.ExitUsage
		}
	}
	cmd := newProcess(ctx, file, append([]string{"--root", dir}, args[1:]...)...)
	cmd.Args[0] = name
	cmd.Env = deviceEnvironment()
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = stdio.Out, stdio.Err
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	}
	fmt.Fprintf(stdio.Err, "%s: %v\n", name, err)
	return 1
}

// deviceEnvironment keeps the environment of whoever runs the sandbox away from
// the device.
func deviceEnvironment() []string { return []string{"PATH=/usr/bin:/bin", "HOME=/"} }

// daemon is "mbl-device run", started again whenever it ends.
type daemon struct {
	program string
	dir     string
	output  io.Writer
	log     *slog.Logger
}

// applicationSocket is relative to the tree, where the program runs: the names
// of sockets have 107 bytes at most.
const applicationSocket = "run/mbl-device/applications.sock"

// endItsParent reboots a virtual device: its program ends, and is started
// again.
const endItsParent = `kill "$PPID"`

// daemonPause is the time between two starts.
const daemonPause = time.Second

func (d daemon) run(ctx context.Context) error {
	for {
		cmd := newProcess(ctx, d.program, "--root", d.dir, "run",
			"--applications", applicationSocket, "--reboot-command", endItsParent)
		cmd.Env = deviceEnvironment()
		cmd.Dir = d.dir
		cmd.Stdout, cmd.Stderr = d.output, d.output
		err := cmd.Run()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot run the device program: %w", err)
		}
		d.log.Warn("the device program ended and is started again", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(daemonPause):
		}
	}
}
