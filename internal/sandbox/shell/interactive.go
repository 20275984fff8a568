package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/term"
)

// Size is a terminal's size in characters.
type Size struct{ Columns, Rows int }

const (
	keyInterrupt = 3    // Ctrl-C
	keyKillLine  = 0x15 // Ctrl-U
)

// Interactive is a login shell on a terminal: it prompts, edits lines and runs
// them until "exit" or Ctrl-D; Ctrl-C stops what runs. sizes tells each new
// size of the terminal and is closed with it. Commands find an empty standard
// input: the terminal is the shell's.
func (s *Shell) Interactive(ctx context.Context, terminal io.ReadWriter, sizes <-chan Size) int {
	keys, err := newKeyboard(terminal)
	if err != nil {
		fmt.Fprintf(terminal, "sh: %v\r\n", err)
		return 1
	}
	defer keys.Close()
	screen := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys.typed, terminal}, "")
	go func() {
		for size := range sizes {
			// A size that cannot be is the client's mistake; the old one stays.
			_ = screen.SetSize(size.Columns, size.Rows)
		}
	}()
	session := &interactiveSession{
		shell: s, keys: keys, screen: screen,
		in: s.session(Stdio{In: strings.NewReader(""), Out: screen, Err: screen}),
	}
	return session.in.untilHangup(ctx, session.loop)
}

type interactiveSession struct {
	shell  *Shell
	in     *interpreter
	keys   *keyboard
	screen *term.Terminal
	more   bool // the statement goes on in the next line
	buffer []byte
}

func (s *interactiveSession) loop(ctx context.Context) int {
	status := 0
	for {
		parser := newParser()
		s.more = false
		var failed error
		for statements, err := range parser.InteractiveSeq(s) {
			if failed = err; err != nil {
				break
			}
			if s.more = parser.Incomplete(); s.more {
				continue
			}
			running, stop := context.WithCancel(ctx)
			s.keys.interrupt.Store(&stop)
			var exited bool
			status, exited = s.in.runStatements(running, statements, status)
			s.keys.interrupt.Store(nil)
			interrupted := running.Err() != nil && ctx.Err() == nil
			stop()
			if exited && !interrupted {
				return status
			}
		}
		if failed == nil || ctx.Err() != nil {
			return status
		}
		fmt.Fprintf(s.screen, "sh: %v\n", failed)
		s.buffer = nil
	}
}

// Read gives the parser the lines that are typed.
func (s *interactiveSession) Read(p []byte) (int, error) {
	if len(s.buffer) == 0 {
		s.screen.SetPrompt(s.prompt())
		line, err := s.screen.ReadLine()
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			return 0, io.EOF
		}
		s.buffer = []byte(line + "\n")
	}
	n := copy(p, s.buffer)
	s.buffer = s.buffer[n:]
	return n, nil
}

func (s *interactiveSession) prompt() string {
	if s.more {
		return "> "
	}
	dir := "/"
	if s.in.runner != nil {
		dir = s.in.runner.Dir
	}
	if dir == homeDir {
		dir = "~"
	}
	return fmt.Sprintf("root@%s:%s# ", s.shell.Hostname, dir)
}

// keyboard reads what is typed at once, so that Ctrl-C is seen while a command
// runs. What is typed meanwhile waits in a pipe.
type keyboard struct {
	typed     *os.File
	interrupt atomic.Pointer[context.CancelFunc] // stops what runs; nil at the prompt
}

func newKeyboard(r io.Reader) (*keyboard, error) {
	typed, typing, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	k := &keyboard{typed: typed}
	go func() {
		defer typing.Close()
		keys := make([]byte, 256)
		for {
			n, err := r.Read(keys)
			if _, writeErr := typing.Write(k.handle(keys[:n])); err != nil || writeErr != nil {
				return
			}
		}
	}()
	return k, nil
}

func (k *keyboard) handle(keys []byte) []byte {
	passed := make([]byte, 0, len(keys))
	for _, key := range keys {
		if key != keyInterrupt {
			passed = append(passed, key)
			continue
		}
		if stop := k.interrupt.Load(); stop != nil {
			(*stop)()
			continue
		}
		passed = append(passed, keyKillLine)
	}
	return passed
}

// Close ends reading; the goroutine behind it ends with the terminal.
func (k *keyboard) Close() error { return k.typed.Close() }

// RunOnTerminal runs one command line with a terminal for its output; Ctrl-C
// stops it.
func (s *Shell) RunOnTerminal(ctx context.Context, line string, terminal io.ReadWriter) int {
	keys, err := newKeyboard(terminal)
	if err != nil {
		fmt.Fprintf(terminal, "sh: %v\r\n", err)
		return 1
	}
	defer keys.Close()
	running, stop := context.WithCancel(ctx)
	defer stop()
	keys.interrupt.Store(&stop)
	screen := terminalWriter{terminal}
	return s.Run(running, line, Stdio{In: keys.typed, Out: screen, Err: screen})
}

// terminalWriter ends lines as a terminal wants them.
type terminalWriter struct{ w io.Writer }

func (t terminalWriter) Write(p []byte) (int, error) {
	if _, err := t.w.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}
