package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/ssh"
)

// ErrNoSubsystem says that the SSH server of the device has no such subsystem.
var ErrNoSubsystem = errors.New("the device's SSH server does not offer that subsystem")

// Stream is a running subsystem: reading gives its output, writing is its
// input. Close ends it.
type Stream struct {
	ssh.Channel
	gone chan struct{} // closed once the server has closed its side
}

// closeGrace is how long a subsystem may take to end by itself once its input
// has ended. Some servers (Dropbear 2022.83) fall over a channel that is
// closed while they still close it.
const closeGrace = 300 * time.Millisecond

// Close implements io.Closer.
func (s *Stream) Close() error {
	_ = s.CloseWrite()
	select {
	case <-s.gone:
		return nil
	case <-time.After(closeGrace):
	}
	if err := s.Channel.Close(); !errors.Is(err, io.EOF) { // EOF: the other side was first
		return err
	}
	return nil
}

// Subsystem starts a subsystem of the server, such as sftp (RFC 4254, section
// 6.5). The error is ErrNoSubsystem, ErrExec, ErrDropped or ctx's; the caller
// closes the stream.
func (c *Client) Subsystem(ctx context.Context, name string) (*Stream, error) {
	channel, requests, err := c.conn.OpenChannel("session", nil)
	if err != nil {
		return nil, c.startError(ctx, err)
	}
	stream := &Stream{Channel: channel, gone: make(chan struct{})}
	go func() {
		ssh.DiscardRequests(requests)
		close(stream.gone)
	}()
	go func() { _, _ = io.Copy(io.Discard, channel.Stderr()) }()
	accepted, err := channel.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{name}))
	if err == nil && accepted {
		return stream, nil
	}
	stream.Close()
	if !c.stillThere() {
		return nil, c.startError(ctx, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return nil, fmt.Errorf("%w: %s", ErrNoSubsystem, name)
}
