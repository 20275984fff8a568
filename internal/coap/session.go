package coap

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
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
	// ErrTooLarge: the peer's answer is larger than is taken.
	ErrTooLarge = errors.New("answer is too large")
)

// maxHandlers is how many requests of one peer are worked on at once; further
// ones are left to the peer's retransmission.
const maxHandlers = 4

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
	// ResponseTimeout bounds the wait for a separate response once its request
	// has been acknowledged; 120 s, as devices are silent while they download.
	ResponseTimeout time.Duration
	// SeparateAfter is how long a handler may take before its request is
	// acknowledged and the response follows separately; 1 s.
	SeparateAfter time.Duration
	// MaxBody caps a request or a notification put together from blocks, in
	// bytes; 64 KiB.
	MaxBody int
	// MaxAnswer caps the answer to a request of ours; MaxBody when zero.
	MaxAnswer int
	// Room is what answers above MaxBody may take of all sessions that share
	// it, in bytes; they wait for it. nil: there is always room.
	Room *semaphore.Weighted
}

func (c SessionConfig) withDefaults() SessionConfig {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.AckTimeout == 0 {
		c.AckTimeout = 2 * time.Second
	}
	if c.MaxRetransmit == 0 {
		c.MaxRetransmit = 4
	}
	if c.ResponseTimeout == 0 {
		c.ResponseTimeout = 120 * time.Second
	}
	if c.SeparateAfter == 0 {
		c.SeparateAfter = time.Second
	}
	if c.MaxBody == 0 {
		c.MaxBody = 64 << 10
	}
	c.MaxAnswer = max(c.MaxAnswer, c.MaxBody)
	return c
}

// Session is the exchange layer on one connection: it matches answers to
// requests, repeats what got lost, recognises what comes twice, and takes
// large bodies apart and together.
type Session struct {
	conn    Conn
	handler Handler
	cfg     SessionConfig

	observer Observer // nil: notifications are rejected

	heard atomic.Int64 // when the peer last said something; Unix, in nanoseconds

	turn     chan struct{} // holds one element while an exchange of ours is in flight
	done     chan struct{}
	endOnce  sync.Once
	working  sync.WaitGroup // handlers and what follows them
	handlers chan struct{}  // one element for each running handler

	mu            sync.Mutex
	nextID        uint16
	inFlight      *exchange
	seen          duplicates
	partial       *upload
	large         *largeAnswer
	notifications []notification // the first at work
}

// NewSession makes a session on conn. handler answers the peer's requests; nil
// answers each with 4.04. The session owns conn from then on.
func NewSession(conn Conn, handler Handler, cfg SessionConfig) *Session {
	if handler == nil {
		handler = func(context.Context, *Request) *Response { return &Response{Code: NotFound} }
	}
	return &Session{
		conn:     conn,
		handler:  handler,
		cfg:      cfg.withDefaults(),
		turn:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		handlers: make(chan struct{}, maxHandlers),
		nextID:   uint16(rand.Uint32()),
		seen:     duplicates{seed: maphash.MakeSeed()},
	}
}

// Serve reads until the connection ends: nil when the peer or Close closed it,
// ctx's error when ctx ended, else what went wrong. When it returns the
// connection is closed and no handler is running any more. It must run, or
// Start have been called, for Do and Ping to work.
func (s *Session) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	return s.windUp(cancel, s.read(ctx, ctx))
}

// Start is Serve without waiting: ended is called in the end, in a goroutine of
// its own, with what Serve returns. Over UDP no goroutine is needed until then.
func (s *Session) Start(ctx context.Context, ended func(error)) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	end := func(why error) {
		stop()
		if err := ctx.Err(); err != nil {
			why = err
		}
		ended(s.windUp(cancel, why))
	}
	if conn, ok := s.conn.(attended); ok {
		conn.attend(func(data []byte) { s.receive(ctx, data) }, end)
		return
	}
	go func() { end(s.read(context.WithoutCancel(ctx), ctx)) }()
}

// read reads until the connection or reading ends, and says why. What it
// begins ends with ctx.
func (s *Session) read(reading, ctx context.Context) error {
	for {
		data, err := s.conn.ReadMessage(reading)
		if err != nil {
			return err
		}
		s.receive(ctx, data)
	}
}

// windUp ends what is under way once the connection has ended.
func (s *Session) windUp(cancel context.CancelFunc, why error) error {
	_ = s.Close()
	cancel()
	s.working.Wait()
	if errors.Is(why, io.EOF) || errors.Is(why, net.ErrClosed) {
		return nil
	}
	return why
}

// Close ends the session: close_notify to the peer, ErrClosed to everyone who
// waits. It may be called more than once.
func (s *Session) Close() error {
	var err error
	s.endOnce.Do(func() {
		close(s.done)
		err = s.conn.Close()
	})
	return err
}

// Heard is when the peer last said something; long ago if it never did.
func (s *Session) Heard() time.Time { return time.Unix(0, s.heard.Load()) }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// receive sorts one message of the peer (RFC 7252 §4.2, §4.3).
func (s *Session) receive(ctx context.Context, data []byte) {
	s.heard.Store(time.Now().UnixNano())
	m, err := ParseMessage(data)
	if err != nil {
		s.cfg.Log.Debug("message dropped", "error", err)
		s.rejectMalformed(data)
		return
	}
	s.cfg.Log.Debug("received", "message", m)
	switch {
	case m.Type == Acknowledgement || m.Type == Reset:
		if m.Code == Empty || m.Code.IsResponse() {
			s.deliver(m, nil)
		}
	case m.Code == Empty:
		s.answerPing(m)
	default:
		s.receiveNumbered(ctx, m, data)
	}
}

// receiveNumbered handles what can come twice: requests and responses of type
// CON or NON.
func (s *Session) receiveNumbered(ctx context.Context, m *Message, data []byte) {
	r, repeated, again := s.noteReceived(m, data)
	switch {
	case repeated && again != nil:
		s.write(again)
	case repeated: // still being worked on
	case m.Code.IsRequest():
		s.receiveRequest(ctx, m, r)
	case m.Code.IsResponse() && s.deliver(m, r):
	case m.Code.IsResponse() && s.observer != nil:
		s.receiveNotification(ctx, m, r)
	default:
		s.acceptOrReject(m, r, false)
	}
}

func (s *Session) noteReceived(m *Message, data []byte) (r *received, repeated bool, again []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, repeated = s.seen.note(m.ID, data, time.Now())
	return r, repeated, r.answer
}

// acceptOrReject answers a confirmable message with an empty acknowledgement
// or a Reset.
func (s *Session) acceptOrReject(m *Message, r *received, accept bool) {
	if m.Type != Confirmable {
		return
	}
	answer := &Message{Type: Reset, ID: m.ID}
	if accept {
		answer.Type = Acknowledgement
	}
	s.answer(r, answer)
}

// answerPing answers an Empty confirmable message, whose purpose is to be
// rejected (RFC 7252 §4.3).
func (s *Session) answerPing(m *Message) {
	if m.Type == Confirmable {
		s.send(&Message{Type: Reset, ID: m.ID})
	}
}

func (s *Session) rejectMalformed(data []byte) {
	confirmable := len(data) >= headerSize && data[0]>>4 == 1<<2|byte(Confirmable)
	if confirmable {
		s.send(&Message{Type: Reset, ID: binary.BigEndian.Uint16(data[2:])})
	}
}

// answer sends a message and keeps it for the repetition of what it answers.
func (s *Session) answer(r *received, m *Message) {
	data, err := m.Marshal()
	if err != nil {
		s.cfg.Log.Error("cannot write an answer", "error", err)
		return
	}
	s.mu.Lock()
	r.answer = data
	s.mu.Unlock()
	s.cfg.Log.Debug("sent", "message", m)
	s.write(data)
}

func (s *Session) send(m *Message) {
	data, err := m.Marshal()
	if err != nil {
		s.cfg.Log.Error("cannot write a message", "error", err)
		return
	}
	s.cfg.Log.Debug("sent", "message", m)
	s.write(data)
}

// write sends what needs no certainty: the peer repeats its message when this
// gets lost, and a broken connection is noticed by the reader.
func (s *Session) write(data []byte) {
	if err := s.conn.WriteMessage(data); err != nil {
		s.cfg.Log.Debug("cannot send", "error", err)
	}
}

func (s *Session) newID() uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	return s.nextID
}
