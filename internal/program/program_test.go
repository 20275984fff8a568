//go:build unix

package program_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"mbl/internal/iostreams"
	"mbl/internal/program"
)

// asProgram has the test's binary be a program that says why it is to stop, and
// stops once its input ends.
const asProgram = "PROGRAM_TEST_TIDIES_UP"

const tidied = 7

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		program.Run(func(ctx context.Context, sys *iostreams.System) int {
			fmt.Fprintln(sys.Out, "runs")
			<-ctx.Done()
			fmt.Fprintln(sys.Out, context.Cause(ctx))
			_, _ = io.Copy(io.Discard, sys.In)
			return tidied
		})
	}
	os.Exit(m.Run())
}

// tidy is such a program, running.
type tidy struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	input io.Closer
}

func startTidy(t *testing.T, under ...string) *tidy {
	t.Helper()
	command := append(under, os.Args[0])
	p := &tidy{t: t, cmd: exec.CommandContext(t.Context(), command[0], command[1:]...)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	p.says("runs")
	return p
}

func (p *tidy) says(want string) {
	p.t.Helper()
	if !p.lines.Scan() || p.lines.Text() != want {
		p.t.Fatalf("it said %q, %v; want %q", p.lines.Text(), p.lines.Err(), want)
	}
}

func (p *tidy) signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }

// end lets it finish, and returns how it ended.
func (p *tidy) end() *os.ProcessState {
	_ = p.input.Close()
	_ = p.cmd.Wait() // the state says it
	return p.cmd.ProcessState
}

func TestEachSignalThatAsksToStopLetsTheProgramTidyUp(t *testing.T) {
	for _, each := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(each.String(), func(t *testing.T) {
			if each == syscall.SIGHUP && signal.Ignored(each) {
				signal.Notify(make(chan os.Signal, 1), each) // the tests run under nohup, the program does not
			}
			p := startTidy(t)
			if err := p.signal(each); err != nil {
				t.Fatal(err)
			}
			p.says(each.String() + " signal received")
			if state := p.end(); state.ExitCode() != tidied {
				t.Errorf("it ended with %v", state)
			}
		})
	}
}

func TestWhoInsistsKillsIt(t *testing.T) {
	p := startTidy(t)
	if err := p.signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	p.says("interrupt signal received")
	go func() {
		for p.signal(syscall.SIGINT) == nil {
			time.Sleep(100 * time.Millisecond)
		}
	}()
	_ = p.cmd.Wait() // the state says it
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", p.cmd.ProcessState)
	}
}

func TestUnderNohupAClosedTerminalIsNoEnd(t *testing.T) {
	p := startTidy(t, "sh", "-c", `trap "" HUP; exec "$@"`, "sh")
	if err := p.signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.says("terminated signal received")
	if state := p.end(); state.ExitCode() != tidied {
		t.Errorf("it ended with %v", state)
	}
}
