package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"mbl/e2e/stage"
)

// commands are what scripts can say on top of testscript's own words;
// testdata/README.md explains them.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"service":  startService,
	"device":   startDevice,
	"start":    startProgram,
	"signal":   signalProgram,
	"finished": waitForEnd,
	"exits":    runForCode,
	"eventual": runUntil,
	"vanishes": waitUntilGone,
	"mode":     checkMode,
	"lacks":    searchInVain,
	"forge":    forge,
	"wire":     startWire,
	"used-up":  waitForWire,
}

type runningKey struct{}

// running is what a script has started.
type running struct {
	processes []*stage.Process
	wire      *wire // the last one
}

func (r *running) add(p *stage.Process) { r.processes = append(r.processes, p) }

func (r *running) stopAll() {
	for _, p := range slices.Backward(r.processes) {
		p.Stop()
	}
}

// find is the process started last under a name.
func find(ts *testscript.TestScript, name string) *stage.Process {
	for _, p := range slices.Backward(processes(ts).processes) {
		if p.Name == name {
			return p
		}
	}
	ts.Fatalf("nothing named %q was started", name)
	return nil
}

func processes(ts *testscript.TestScript) *running {
	return ts.Value(runningKey{}).(*running)
}

// options start programs in the script's place and with its environment.
func options(ts *testscript.TestScript) stage.Options {
	return stage.Options{Dir: ts.Getenv("WORK"), Env: environment(ts)}
}

// environment is what the script's programs see. testscript does not give its
// list away, so the names that matter are asked for one by one.
func environment(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "WORK", "TMPDIR", "USER", "MBL_STORES_FILE", "MBED_CLOUD_SDK_HOST", "MBED_CLOUD_SDK_API_KEY"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// program finds one of the programs on the script's PATH.
func program(ts *testscript.TestScript, name string) string {
	path, err := exec.LookPath(name)
	ts.Check(err)
	return path
}

func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

// startService: service [FLAG…]
func startService(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg, "service [FLAG...]")
	s, err := stage.StartService(program(ts, "mbl-cloud"), ts.MkAbs("cloud"), options(ts), args...)
	ts.Check(err)
	processes(ts).add(s.Process)
	ts.Setenv("API_URL", s.HTTP)
	if ts.Getenv("API_KEY") != "" {
		return // started again on the data folder that knows the key
	}
	key, err := s.NewKey("script", "administrators")
	ts.Check(err)
	ts.Setenv("API_KEY", key)
}

// startDevice: device NAME [FLAG…]
func startDevice(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 0, "device NAME [FLAG...]")
	name := args[0]
	d, err := stage.StartDevice(program(ts, "mbl-sandbox"), name, ts.MkAbs(name), options(ts), args[1:]...)
	ts.Check(err)
	processes(ts).add(d.Process)
	ts.Setenv("DEVICE", d.Address)
}

// startProgram: start NAME PROGRAM ARG…
func startProgram(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "start NAME PROGRAM ARG...")
	command := append([]string{program(ts, args[1])}, args[2:]...)
	p, err := stage.Start(args[0], command, options(ts))
	ts.Check(err)
	processes(ts).add(p)
}

// signalProgram: signal INT|TERM|HUP|KILL NAME
func signalProgram(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": os.Kill}
	usage(ts, !neg && len(args) == 2 && signals[args[0]] != nil, "signal INT|TERM|HUP|KILL NAME")
	ts.Check(find(ts, args[1]).Signal(signals[args[0]]))
}

// waitForEnd: finished NAME CODE
func waitForEnd(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "finished NAME CODE")
	p := find(ts, args[0])
	ctx, cancel := context.WithTimeout(context.Background(), stage.Patience)
	defer cancel()
	code, err := p.Wait(ctx)
	ts.Check(err)
	if strconv.Itoa(code) != args[1] {
		ts.Fatalf("%s ended with %d, want %s; it said:\n%s", args[0], code, args[1], p.Output())
	}
}

// runForCode: exits CODE PROGRAM ARG…
func runForCode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "exits CODE PROGRAM ARG...")
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	default:
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// runUntil: eventual REGEXP PROGRAM ARG…
func runUntil(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "eventual REGEXP PROGRAM ARG...")
	wanted, err := regexp.Compile(args[0])
	ts.Check(err)
	ts.Check(stage.Until(func() error {
		// The output decides; a program may well fail until all is ready.
		err := ts.Exec(args[1], args[2:]...)
		if out := ts.ReadFile("stdout"); !wanted.MatchString(out) {
			return errors.Join(errors.New("no "+args[0]+" in its output"), err)
		}
		return nil
	}))
}

// waitUntilGone: vanishes PATH…
func waitUntilGone(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) > 0, "vanishes PATH...")
	for _, path := range args {
		ts.Check(stage.Until(func() error {
			if _, err := os.Lstat(ts.MkAbs(path)); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s is still there", path)
			}
			return nil
		}))
	}
}

// checkMode: mode 0600 PATH…
func checkMode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "mode OCTAL PATH...")
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	for _, path := range args[1:] {
		info, err := os.Stat(ts.MkAbs(path))
		ts.Check(err)
		if got := info.Mode().Perm(); uint64(got) != want {
			ts.Fatalf("%s has mode %04o, want %04o", path, got, want)
		}
	}
}

// searchInVain: lacks TEXT PATH… – no file at or below the paths holds the text.
func searchInVain(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "lacks TEXT PATH...")
	for _, root := range args[1:] {
		found, err := filesWith(ts.MkAbs(root), args[0])
		ts.Check(err)
		if len(found) > 0 {
			ts.Fatalf("%q stands in %s", args[0], strings.Join(found, ", "))
		}
	}
}
