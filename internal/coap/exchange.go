package coap

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"
)

// tokenLength is longer than the two bytes that devices use for resources
// they observe on the server's behalf, so the two never meet.
const tokenLength = 4

// exchange is what we sent and wait for.
type exchange struct {
	id     uint16
	token  []byte
	events chan event
}

// event is a message that belongs to the exchange in flight; received is nil
// for acknowledgements and resets.
type event struct {
	message  *Message
	received *received
}

// eventBacklog is more than a well-behaved peer sends for one exchange (an
// acknowledgement and a response); what exceeds it is dropped.
const eventBacklog = 4

// deliver hands a message to the exchange in flight and tells whether it
// belongs to it: by message id for acknowledgements and resets, by token for
// separate responses. A response ends the exchange: what follows with the same
// token is a notification.
func (s *Session) deliver(m *Message, r *received) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight == nil || !s.inFlight.matches(m) {
		return false
	}
	select {
	case s.inFlight.events <- event{m, r}:
	default:
		return false
	}
	if m.Code != Empty {
		s.inFlight = nil
	}
	return true
}

func (x *exchange) matches(m *Message) bool {
	if m.Type == Acknowledgement || m.Type == Reset {
		// Some devices leave the token out of an acknowledgement's response.
		return m.ID == x.id && (len(m.Token) == 0 || bytes.Equal(m.Token, x.token))
	}
	return len(x.token) > 0 && bytes.Equal(m.Token, x.token)
}

// takeTurn waits until no other exchange of ours is in flight: devices handle
// one request at a time and lose or delay the rest.
func (s *Session) takeTurn(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return ErrClosed
	}
	return nil
}

func (s *Session) endTurn() { <-s.turn }

// transmit sends a confirmable message, repeats it with growing pauses (RFC
// 7252 §4.2), and returns the peer's first acknowledgement, reset or response.
// The caller holds the turn and ends the exchange with s.finish.
func (s *Session) transmit(ctx context.Context, m *Message) (event, *exchange, error) {
	data, err := m.Marshal()
	if err != nil {
		return event{}, nil, err
	}
	x := s.begin(m)
	pause := s.firstPause()
	for range s.cfg.MaxRetransmit + 1 {
		s.cfg.Log.Debug("sent", "message", m)
		if err := s.conn.WriteMessage(data); err != nil {
			return event{}, x, s.sendError(err)
		}
		e, err := s.await(ctx, x, pause)
		if !errors.Is(err, ErrTimeout) {
			return e, x, err
		}
		pause *= 2
	}
	return event{}, x, ErrTimeout
}

// sendError is what to say when sending failed: that the session has ended, if
// it has.
func (s *Session) sendError(err error) error {
	select {
	case <-s.done:
		return ErrClosed
	default:
		return fmt.Errorf("cannot send: %w", err)
	}
}

func (s *Session) begin(m *Message) *exchange {
	x := &exchange{id: m.ID, token: m.Token, events: make(chan event, eventBacklog)}
	s.mu.Lock()
	s.inFlight = x
	s.mu.Unlock()
	return x
}

func (s *Session) finish() {
	s.mu.Lock()
	s.inFlight = nil
	s.mu.Unlock()
}

// firstPause is ACK_TIMEOUT times a random factor of 1 to 1.5.
func (s *Session) firstPause() time.Duration {
	return s.cfg.AckTimeout + mathrand.N(s.cfg.AckTimeout/2+1)
}

func (s *Session) await(ctx context.Context, x *exchange, limit time.Duration) (event, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case e := <-x.events:
		return e, nil
	case <-timer.C:
		return event{}, ErrTimeout
	case <-ctx.Done():
		return event{}, ctx.Err()
	case <-s.done:
		// What came before the end counts: servers answer and close at once.
		select {
		case e := <-x.events:
			return e, nil
		default:
			return event{}, ErrClosed
		}
	}
}

// Ping asks the peer for a sign of life (RFC 7252 §4.3: an Empty confirmable
// message is answered with a Reset).
func (s *Session) Ping(ctx context.Context) error {
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.endTurn()
	defer s.finish()
	_, _, err := s.transmit(ctx, &Message{Type: Confirmable, ID: s.newID()})
	return err
}

// exchangeOne sends one request message and returns the message that answers
// it, acknowledged if it came separately. confirm may be nil.
func (s *Session) exchangeOne(ctx context.Context, m *Message, confirm func(*Response) error) (*Message, error) {
	defer s.finish()
	e, x, err := s.transmit(ctx, m)
	if err != nil {
		return nil, err
	}
	for e.message.Code == Empty {
		if e.message.Type == Reset {
			return nil, ErrReset
		}
		if e, err = s.await(ctx, x, s.cfg.ResponseTimeout); err != nil {
			return nil, err
		}
	}
	if confirm != nil {
		if err := confirm(responseOf(e.message)); err != nil {
			return nil, err
		}
	}
	if e.message.Type == Confirmable {
		s.acceptOrReject(e.message, e.received, true)
	}
	return e.message, nil
}

// sendSeparate sends a response in a confirmable message of its own and waits
// for its acknowledgement.
func (s *Session) sendSeparate(ctx context.Context, m *Message) error {
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	defer s.endTurn()
	defer s.finish()
	e, _, err := s.transmit(ctx, m)
	if err == nil && e.message.Type == Reset {
		return ErrReset
	}
	return err
}

func newToken() []byte {
	token := make([]byte, tokenLength)
	_, _ = rand.Read(token) // never fails (crypto/rand)
	return token
}
