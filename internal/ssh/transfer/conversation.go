package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"mbl/internal/ssh"
	"mbl/internal/ssh/posixsh"
)

// conversation is a shell on the device that stays for many small scripts:
// starting one takes a device longer than most of them do.
type conversation struct {
	mu     sync.Mutex
	input  *io.PipeWriter
	output *bufio.Reader
	gone   chan struct{} // closed once the shell has ended
	mark   string        // begins the line that ends an answer; nothing else has it
	begun  bool          // what the account's shell prints at its start has been read
}

// converse starts the shell. The caller closes it.
func converse(ctx context.Context, conn *ssh.Client) *conversation {
	input, write := io.Pipe()
	read, output := io.Pipe()
	c := &conversation{
		input: write, output: bufio.NewReaderSize(read, 64<<10),
		gone: make(chan struct{}), mark: posixsh.NewMark() + ":",
	}
	go func() {
		defer close(c.gone)
		// ctx ends single scripts; the shell is needed to tidy up after them.
		_, err := conn.Run(context.WithoutCancel(ctx), ssh.Command{Line: "LC_ALL=C exec sh", Stdin: input, Stdout: output})
		if err == nil {
			err = fmt.Errorf("%w: its shell ended", ssh.ErrExec)
		}
		output.CloseWithError(err)
		input.CloseWithError(err)
	}()
	return c
}

// close ends the shell and gives it a moment to go.
func (c *conversation) close() {
	_ = c.input.Close()
	select {
	case <-c.gone:
	case <-time.After(ctrlCGrace):
	}
}

// ask runs a script with args as its $1, $2 and so on, and returns its output.
func (c *conversation) ask(ctx context.Context, script string, args ...string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	line := ""
	if !c.begun {
		line = c.end("0")
	}
	line += "(set --"
	for _, arg := range args {
		line += " " + shellQuoted(arg)
	}
	line += "\n" + script + "\n) 2>&1 </dev/null; " + c.end("$?")
	// io.EOF: the shell has ended; the end of its output says how.
	if _, err := io.WriteString(c.input, line); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	output, exit, err := c.answer()
	if err == nil && !c.begun {
		c.begun = true
		output, exit, err = c.answer()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", err
	case exit != 0:
		return "", shellError(exit, output)
	default:
		return output, nil
	}
}

// end is the command that ends an answer.
func (c *conversation) end(status string) string {
	return "printf '\\n%s%d\\n' " + c.mark + " " + status + "\n"
}

// mostAnswered bounds what a device can make us keep: the listing of a folder
// with a few hundred thousand files.
const mostAnswered = 64 << 20

// answer reads up to the mark and the exit status behind it.
func (c *conversation) answer() (output string, exit int, err error) {
	var all bytes.Buffer
	begins := 0 // the line that is being read, in all
	for {
		piece, err := c.output.ReadSlice('\n')
		all.Write(piece)
		switch {
		case all.Len() > mostAnswered:
			_ = c.input.CloseWithError(ErrTooMuch) // who knows where the answer ends
			return "", 0, ErrTooMuch
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return "", 0, err
		}
		line := all.Bytes()[begins:]
		begins = all.Len()
		status, found := strings.CutPrefix(string(line), c.mark)
		if !found {
			continue
		}
		exit, err := strconv.Atoi(strings.TrimSpace(status))
		all.Truncate(begins - len(line))
		return strings.TrimSuffix(all.String(), "\n"), exit, err
	}
}
