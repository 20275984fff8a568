package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// hangUpGrace is how long a command that is told to hang up may take to tidy
// up, before its connection is closed.
const hangUpGrace = 700 * time.Millisecond

// Client is a connection to a device, logged in. It may be used by several
// goroutines.
type Client struct {
	conn   *ssh.Client
	target Target
	once   sync.Once
	done   chan struct{}
}

// Command is one command for the device.
type Command struct {
	Line   string    // run by the shell of the account
	Stdin  io.Reader // nil: empty
	Stdout io.Writer // nil: dropped
	Stderr io.Writer // nil: dropped
}

func newClient(conn *ssh.Client, target Target, keepAlive time.Duration) *Client {
	c := &Client{conn: conn, target: target, done: make(chan struct{})}
	go c.watch(keepAlive)
	go func() {
		_ = conn.Wait() // how it ended is told by whatever was going on
		c.Close()
	}()
	return c
}

// Target is the device with everything filled in.
func (c *Client) Target() Target { return c.target }

// Close ends the connection.
func (c *Client) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.conn.Close()
}

// watch closes the connection of a device that vanished without a word, so
// that nothing waits for it for ever.
func (c *Client) watch(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
		}
		if !c.alive(interval) {
			c.Close()
			return
		}
	}
}

// alive asks for a sign of life. Any answer will do, a refusal too.
func (c *Client) alive(patience time.Duration) bool {
	answer := make(chan error, 1)
	go func() {
		_, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
		answer <- err
	}()
	select {
	case err := <-answer:
		return err == nil
	case <-time.After(patience):
		return false
	case <-c.done:
		return true
	}
}

// Run runs a command and returns its exit status; 128 plus its number for a
// signal. err is nil whenever the device told one. Otherwise it is ErrDropped,
// ErrExec, ctx's error, or the error of a stream of cmd. Nothing is written to
// cmd's streams once it has returned.
//
// When ctx ends, the command is told to hang up and has a moment to tidy up,
// with its output still being read; then the connection is closed.
func (c *Client) Run(ctx context.Context, cmd Command) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	session, err := c.newSession(ctx)
	if err != nil {
		return 0, c.startError(ctx, err)
	}
	defer session.Close()
	streams := newPipes(session)
	defer streams.seal()
	session.Stdout, session.Stderr = streams.output(cmd.Stdout), streams.output(cmd.Stderr)
	startInput, err := streams.input(cmd.Stdin)
	if err != nil {
		return 0, c.startError(ctx, err)
	}
	ended := make(chan struct{})
	defer close(ended)
	go c.hangUpWith(ctx, session, ended)

	if err := session.Start(cmd.Line); err != nil {
		return 0, c.startError(ctx, err)
	}
	startInput()
	return streams.wait(ctx)
}

// newSession opens a session. The library waits for ever for one that it asks
// for in the moment the connection ends.
func (c *Client) newSession(ctx context.Context) (*ssh.Session, error) {
	type opening struct {
		session *ssh.Session
		err     error
	}
	opened := make(chan opening, 1)
	go func() {
		session, err := c.conn.NewSession()
		opened <- opening{session, err}
	}()
	select {
	case o := <-opened:
		return o.session, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
		return nil, io.ErrUnexpectedEOF
	}
}

// hangUpWith ends a command and its connection when ctx ends before the
// command does.
func (c *Client) hangUpWith(ctx context.Context, session *ssh.Session, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	_ = session.Signal(ssh.SIGHUP)
	select {
	case <-ended:
	case <-time.After(hangUpGrace):
	}
	c.Close()
}

func (c *Client) startError(ctx context.Context, err error) error {
	var refused *ssh.OpenChannelError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &refused), c.stillThere():
		return fmt.Errorf("%w: %w", ErrExec, err)
	default:
		return fmt.Errorf("%w: %w", ErrDropped, err)
	}
}

// stillThere tells a refusal on a living connection from a lost connection.
func (c *Client) stillThere() bool {
	_, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
	return err == nil
}

func exitStatus(ctx context.Context, err error) (int, error) {
	var exit *ssh.ExitError
	var missing *ssh.ExitMissingError
	switch {
	case err == nil:
		return 0, ctx.Err()
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.As(err, &exit):
		return exit.ExitStatus(), nil
	case errors.As(err, &missing):
		return 0, fmt.Errorf("%w in the middle of a command", ErrDropped)
	default:
		return 0, fmt.Errorf("cannot pass the command's data on: %w", err)
	}
}
