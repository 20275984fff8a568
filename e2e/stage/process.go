// Package stage starts the real programs for tests and benchmarks: a service,
// a virtual device, anything else by name, each with its output in a file. It
// is no part of the programs; e2e, interop and bench use it.
package stage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Patience is how long a program may take to start, to stop, or to come to
// the state a test waits for. It is generous because machines are shared;
// nothing waits that long when all is well.
const Patience = 60 * time.Second

// grace is what a program has to end by itself before it is killed.
const grace = 10 * time.Second

// Process is one running program.
type Process struct {
	Name string
	Log  string // the file with its standard output and error
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Options are what a program is started with.
type Options struct {
	Dir   string   // where it runs; also where its log is written, as NAME.log
	Env   []string // nil: the caller's own
	Under []string // a command to run it under, such as "ip netns exec NAME"

	// Dial is how its caller connects to it over TCP; nil: as usual.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) command(program string, args ...string) []string {
	return slices.Concat(o.Under, []string{program}, args)
}

// Start starts a program in a process group of its own, so that Stop ends its
// children too. The caller stops it.
func Start(name string, command []string, opts Options) (*Process, error) {
	p := &Process{Name: name, Log: filepath.Join(opts.Dir, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	command = opts.command(command[0], command[1:]...)
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Dir, p.cmd.Env = opts.Dir, opts.Env
	p.cmd.Stdout, p.cmd.Stderr = log, log
	ownGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit code is read from the process state
		close(p.done)
	}()
	return p, nil
}

// PID is the number of the process, which is also that of its group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Running tells whether the program has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the program alone, not to its children.
func (p *Process) Signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }

// Wait waits until the program ends and returns its exit code; -1 when a
// signal killed it.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s still runs: %w", p.Name, ctx.Err())
	}
}

// Stop asks the program to end, kills what is left of its process group, and
// returns its exit code.
func (p *Process) Stop() int {
	if p.Running() {
		_ = p.Signal(syscall.SIGTERM) // it may have ended meanwhile
	}
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	p.Kill()
	return p.cmd.ProcessState.ExitCode()
}

// Kill ends the program and its process group at once.
func (p *Process) Kill() {
	killGroup(p.cmd)
	<-p.done
}

// Output is all the program has printed so far.
func (p *Process) Output() string {
	content, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// Until calls ready until it says true, the program ends, or patience does.
func (p *Process) Until(what string, ready func() bool) error {
	return p.within(Patience, what, ready)
}

func (p *Process) within(patience time.Duration, what string, ready func() bool) error {
	deadline := time.Now().Add(patience)
	for !ready() {
		switch {
		case !p.Running():
			return fmt.Errorf("%s ended before %s; it said:\n%s", p.Name, what, p.Output())
		case time.Now().After(deadline):
			return fmt.Errorf("%s: waited in vain for %s; it said:\n%s", p.Name, what, p.Output())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// ErrInVain says that something did not happen in time.
var ErrInVain = errors.New("waited in vain")

// Until calls try until it returns nil, or returns its last error when
// patience ends.
func Until(try func() error) error {
	deadline := time.Now().Add(Patience)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %w", ErrInVain, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
