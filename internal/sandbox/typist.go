package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"mbl/internal/usererr"
)

// registeredState is what `mbl-cli device list` shows of a device that is
// connected.
var registeredState = regexp.MustCompile(`\bregistered\b`)

const (
	stepTime  = 30 * time.Second // for one step
	stepPause = 500 * time.Millisecond
)

// step is one command line of mbl-cli.
type step struct {
	why   string
	args  []string
	stdin string
	// device: the command works with the device.
	device bool
	// until repeats the command until its output matches; nil: once.
	until *regexp.Regexp
}

// typist runs mbl-cli as somebody with a home folder of their own would, and
// shows it.
type typist struct {
	app     *app
	program string
	home    string
	address string // names the device where none is selected
}

func (a *app) newTypist(home string) (*typist, error) {
	program, err := a.findProgram("mbl-cli")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a home folder: %w", err)
	}
	return &typist{app: a, program: program, home: home}, nil
}

func (t *typist) play(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := t.do(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (t *typist) do(ctx context.Context, s step) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	if s.device && t.address != "" {
		s.args = append([]string{"-a", t.address}, s.args...)
	}
	line := "mbl-cli " + strings.Join(s.args, " ")
	t.announce(s.why, line)
	if s.until == nil {
		return t.run(ctx, s, line, t.app.sys.Out)
	}
	var output bytes.Buffer
	for {
		output.Reset()
		err := t.run(ctx, s, line, &output)
		if err == nil && s.until.Match(output.Bytes()) {
			_, err = t.app.sys.Out.Write(output.Bytes())
			return err
		}
		select {
		case <-ctx.Done():
			if _, writeErr := t.app.sys.Out.Write(output.Bytes()); writeErr != nil {
				return errors.Join(err, writeErr)
			}
			return errors.Join(err, usererr.Failure("$ %s: it never said %q", line, s.until))
		case <-time.After(stepPause):
		}
	}
}

// announce shows the command line, set off from what it answers where that can
// be.
func (t *typist) announce(why, line string) {
	bold, plain := "", ""
	if t.app.sys.OutTTY && t.app.sys.Getenv("NO_COLOR") == "" && t.app.sys.Getenv("TERM") != "dumb" {
		bold, plain = "\x1b[1m", "\x1b[0m"
	}
	fmt.Fprintf(t.app.sys.Out, "\n# %s\n%s$ %s%s\n", why, bold, line, plain)
}

func (t *typist) run(ctx context.Context, s step, line string, output io.Writer) error {
	cmd := newProcess(ctx, t.program, s.args...)
	cmd.Args[0] = "mbl-cli"
	cmd.Env = t.environment()
	cmd.Dir = t.home
	cmd.Stdin = strings.NewReader(s.stdin)
	cmd.Stdout, cmd.Stderr = output, output
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return usererr.Failure("the command failed: $ %s (exit code %d)", line, exit.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("cannot run mbl-cli: %w", err)
	}
	return nil
}

// environment holds nothing that leads to the files, keys or agents of whoever
// runs the demo.
func (t *typist) environment() []string {
	env := []string{
		"HOME=" + t.home,
		"MBL_STORES_FILE=" + filepath.Join(t.home, ".mbl-stores.json"),
	}
	for _, name := range []string{"PATH", "LANG", "TMPDIR"} {
		if value := t.app.sys.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
