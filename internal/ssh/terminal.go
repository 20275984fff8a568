package ssh

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// Size is that of a terminal, in characters.
type Size struct{ Columns, Rows int }

// Terminal is where an interactive shell shows itself.
type Terminal struct {
	Name    string // as TERM has it
	Size    Size
	Resized <-chan Size // new sizes; may be nil
	In      io.Reader
	Out     io.Writer

	// Environment is offered to the device, which takes what it likes of it;
	// servers usually take LANG and LC_*.
	Environment map[string]string
}

// Interact starts the account's shell on a terminal and returns the shell's
// exit status, as Run does. The terminal's owner has made it raw: keys such as
// Ctrl-C go to the device.
func (c *Client) Interact(ctx context.Context, terminal Terminal) (int, error) {
	session, err := c.newSession(ctx)
	if err != nil {
		return 0, c.startError(ctx, err)
	}
	defer session.Close()
	for name, value := range terminal.Environment {
		_ = session.Setenv(name, value) // a refusal is usual
	}
	if err := session.RequestPty(terminal.Name, terminal.Size.Rows, terminal.Size.Columns, terminalModes()); err != nil {
		return 0, fmt.Errorf("%w: no terminal: %w", ErrExec, err)
	}
	streams := newPipes(session)
	defer streams.seal()
	session.Stdout = streams.output(terminal.Out)
	startInput, err := streams.input(terminal.In)
	if err != nil {
		return 0, c.startError(ctx, err)
	}
	ended := make(chan struct{})
	defer close(ended)
	go c.hangUpWith(ctx, session, ended)

	if err := session.Shell(); err != nil {
		return 0, c.startError(ctx, err)
	}
	startInput()
	go follow(session, terminal.Resized, ended)
	return streams.wait(ctx)
}

// terminalModes are those of RFC 4254, section 8, and IUTF8 of RFC 8160: it lets
// the device erase whole characters.
func terminalModes() ssh.TerminalModes {
	return ssh.TerminalModes{ssh.ECHO: 1, ssh.IUTF8: 1, ssh.TTY_OP_ISPEED: 38400, ssh.TTY_OP_OSPEED: 38400}
}

// follow tells the device of each new size.
func follow(session *ssh.Session, sizes <-chan Size, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case size := <-sizes:
			_ = session.WindowChange(size.Rows, size.Columns)
		}
	}
}
