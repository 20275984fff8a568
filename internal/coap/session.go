package coap

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Errors of Do and Ping.
var (
	// ErrReset: the peer rejected the message with a Reset.
	ErrReset = errors.New("peer answered with a reset")
	// ErrTimeout: the peer did not answer, retransmissions included.
	ErrTimeout = errors.New("peer does not answer")
	// ErrClosed: the session has ended.
	ErrClosed = errors.New("session is closed")
	// ErrBlockwise: the peer broke the rules of block-wise transfer.
	ErrBlockwise = errors.New("block-wise transfer failed")
)

// SessionConfig holds a session's settings. The zero value means the defaults
// named at each field.
type SessionConfig struct {
	// Log receives what the exchange layer notices; nil discards.
	Log *slog.Logger
	// AckTimeout is the time before the first retransmission (RFC 7252 §4.8
	// ACK_TIMEOUT); 2 s.
	AckTimeout time.Duration
	// MaxRetransmit is the number of retransmissions (MAX_RETRANSMIT); 4.
	MaxRetransmit int
	// ResponseTimeout bounds the wait for a separate response after its
	// request was acknowledged; 93 s (EXCHANGE_LIFETIME is not needed: MIDs
	// are not reused that soon).
	ResponseTimeout time.Duration
	// MaxBody caps a request or response put together from blocks, in bytes;
	// 64 KiB.
	MaxBody int
}

// Session is the exchange layer on one connection.
type Session struct{ conn Conn }

// NewSession makes a session on conn. handler answers the peer's requests; nil
// answers each with 4.04. The session owns conn from then on.
func NewSession(conn Conn, handler Handler, cfg SessionConfig) *Session { return &Session{conn: conn} }

// Serve reads until the connection ends: nil when the peer or Close closed it,
// ctx's error when ctx ended, else what went wrong. The connection is closed
// when it returns. It must run for Do and Ping to work.
func (s *Session) Serve(ctx context.Context) error { return errors.ErrUnsupported }

// Do sends a request and waits for its answer. One request is in flight per
// session at a time, pings included; further ones wait for their turn.
func (s *Session) Do(ctx context.Context, req *Request) (*Response, error) {
	return nil, errors.ErrUnsupported
}

// Ping asks the peer for a sign of life (RFC 7252 §4.3: an Empty CON is
// answered with a Reset).
func (s *Session) Ping(ctx context.Context) error { return errors.ErrUnsupported }

// Close ends the session: close_notify to the peer, ErrClosed to everyone who
// waits. It may be called more than once.
func (s *Session) Close() error { return s.conn.Close() }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return nil }

// OnNotification sets who receives notifications (responses with an Observe
// option whose token belongs to no request in flight). Returning true
// acknowledges, false rejects with a Reset, which ends the observation. It is
// called from the reading loop, in order of arrival, and must not call Do.
// Set it before Serve.
func (s *Session) OnNotification(receive func(token []byte, notification *Response) bool) {}
