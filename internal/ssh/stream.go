package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// ErrNoSubsystem: the device's SSH server does not offer the subsystem.
var ErrNoSubsystem = errors.New("the device's SSH server does not offer that subsystem")

// Stream is a running subsystem: reading gives its output, writing is its
// input. Close ends it.
type Stream struct {
	io.Reader
	input   io.WriteCloser
	session *ssh.Session
}

// Write implements io.Writer.
func (s *Stream) Write(p []byte) (int, error) { return s.input.Write(p) }

// Close implements io.Closer.
func (s *Stream) Close() error {
	err := errors.Join(s.input.Close(), s.session.Close())
	if errors.Is(err, io.EOF) { // the other side was first
		return nil
	}
	return err
}

// Subsystem starts a subsystem of the server, such as sftp (RFC 4254, section
// 6.5). The error is ErrNoSubsystem, ErrExec, ErrDropped or ctx's; the caller
// closes the stream.
func (c *Client) Subsystem(ctx context.Context, name string) (*Stream, error) {
	session, err := c.conn.NewSession()
	if err != nil {
		return nil, c.startError(ctx, err)
	}
	stream, err := startSubsystem(session, name)
	if err == nil {
		return stream, nil
	}
	session.Close()
	if !c.stillThere() {
		return nil, c.startError(ctx, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrNoSubsystem, err)
}

func startSubsystem(session *ssh.Session, name string) (*Stream, error) {
	input, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := session.RequestSubsystem(name); err != nil {
		return nil, err
	}
	return &Stream{Reader: output, input: input, session: session}, nil
}
