// Package shell is a virtual device's POSIX shell: an interpreter whose
// commands are all built in and whose files are those of a devicetree. It
// starts no program of the host except the few it is given, and it opens no
// file outside the tree. It is not a shell for daily work: it knows what
// mbl-cli and people who try it need. The sandbox's SSH server runs it.
package shell

import (
	"context"
	"fmt"
	"io"
	"os"

	"mbl/internal/sandbox/devicetree"
)

// Stdio is what a command reads and writes.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// Program is a real program of the device, started for the command args
// (args[0] is the name it was called by). It returns the exit status and ends
// early when ctx does.
type Program func(ctx context.Context, args []string, stdio Stdio) int

// Shell is the shell of one device. It may run any number of sessions at
// once.
type Shell struct {
	Tree     *devicetree.Tree
	Hostname string
	// Programs are the real programs by their path in the tree. A file must
	// lie at that path too, as on a real device, or it is not found.
	Programs map[string]Program
}

// Run runs one command line and returns its exit status. The end of ctx is
// the loss of the terminal: what runs is stopped, then the traps for HUP and
// EXIT run.
func (s *Shell) Run(ctx context.Context, line string, stdio Stdio) int {
	return s.withPipe(stdio, func(stdio Stdio) int { return s.session(stdio).runText(ctx, "sh", line) })
}

// RunScript runs commands as they arrive on stdio.In, until its end.
func (s *Shell) RunScript(ctx context.Context, stdio Stdio) int {
	return s.withPipe(stdio, func(stdio Stdio) int { return s.session(stdio).runStream(ctx, stdio.In) })
}

// withPipe puts a pipe before the input, which the interpreter wants as a
// file, and closes it afterwards, so that whoever fills it ends.
func (s *Shell) withPipe(stdio Stdio, run func(Stdio) int) int {
	out, in, err := os.Pipe()
	if err != nil {
		fmt.Fprintf(stdio.Err, "sh: %v\n", err)
		return 1
	}
	defer out.Close()
	source := stdio.In
	go func() {
		defer in.Close()
		// An error on either side is the end of the input, no more.
		_, _ = io.Copy(in, source)
	}()
	stdio.In = out
	return run(stdio)
}

func (s *Shell) session(stdio Stdio) *interpreter {
	return newInterpreter(s, start{stdio: stdio, dir: homeDir, env: s.environment(), umask: 0o022})
}

const homeDir = "/home/root"

func (s *Shell) environment() []string {
	return []string{
		"HOME=" + homeDir,
		"USER=root",
		"LOGNAME=root",
		"SHELL=/bin/sh",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"HOSTNAME=" + s.Hostname,
		"UID=0", "EUID=0", "GID=0",
	}
}
