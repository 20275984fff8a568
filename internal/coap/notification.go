package coap

import (
	"context"
	"errors"
	"fmt"
)

// maxNotifications is how many notifications of one peer may wait to be worked
// on; further ones are left to the peer's retransmission.
const maxNotifications = 16

// Observer receives what a session's peer notifies of (RFC 7641). It is called
// in the order of arrival, one call at a time, and may call Do.
type Observer interface {
	// Observed returns the path that the observation with a token is of. known
	// is false if there is no such observation: the notification is then
	// rejected, which ends it at the peer (RFC 7641 §3.6). A known token
	// without a path is acknowledged, but nothing more of it can be fetched.
	Observed(ctx context.Context, token []byte) (path []string, known bool)
	// Notified is given a notification, whole: blocks have been put together.
	// One without the Observe option is the observation's last.
	Notified(ctx context.Context, token []byte, notification *Response)
}

// Observe sets who receives notifications: responses whose token belongs to no
// request in flight. Set it before Serve; without it they are rejected.
func (s *Session) Observe(observer Observer) { s.observer = observer }

// notification is one that waits to be worked on.
type notification struct {
	message  *Message
	received *received
}

// receiveNotification hands a notification on, without making the reader wait:
// its later blocks have to be asked for.
func (s *Session) receiveNotification(ctx context.Context, m *Message, r *received) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.notifications) == maxNotifications {
		s.seen.forget(r)
		s.cfg.Log.Debug("too many notifications at once, one dropped", "message", m)
		return
	}
	s.notifications = append(s.notifications, notification{m, r})
	if len(s.notifications) == 1 {
		s.working.Go(func() { s.workOffNotifications(ctx) })
	}
}

// workOffNotifications ends with the last of them. The one at work stays in
// the list until it is done.
func (s *Session) workOffNotifications(ctx context.Context) {
	for {
		s.mu.Lock()
		next := s.notifications[0]
		s.mu.Unlock()
		s.handOn(ctx, next)
		s.mu.Lock()
		s.notifications = s.notifications[1:]
		over := len(s.notifications) == 0
		if over {
			s.notifications = nil
		}
		s.mu.Unlock()
		if over {
			return
		}
	}
}

// handOn gives one notification to the observer and acknowledges it
// afterwards, so that what the peer need not repeat has been kept. One in
// blocks is acknowledged first: peers answer no request before that.
func (s *Session) handOn(ctx context.Context, n notification) {
	path, known := s.observer.Observed(ctx, n.message.Token)
	if !known {
		s.answer(n.received, &Message{Type: Reset, ID: n.message.ID}) // a non-confirmable one too
		return
	}
	b, inBlocks, err := blockOption(n.message, Block2)
	if err == nil && (!inBlocks || !b.more) {
		s.observer.Notified(ctx, n.message.Token, responseOf(n.message))
		s.acceptOrReject(n.message, n.received, true)
		return
	}
	s.acceptOrReject(n.message, n.received, true)
	whole, err := s.wholeNotification(ctx, path, n.message)
	if err != nil {
		s.cfg.Log.Info("a notification could not be fetched", "error", err)
		return
	}
	s.observer.Notified(ctx, n.message.Token, whole)
}

// wholeNotification fetches the blocks after the first (RFC 7959 §2.6), or all
// of the representation when it changes meanwhile.
func (s *Session) wholeNotification(ctx context.Context, path []string, first *Message) (*Response, error) {
	if len(path) == 0 {
		return nil, fmt.Errorf("%w: nothing is known by the token %x", ErrBlockwise, first.Token)
	}
	get := &Request{Code: GET, Path: path}
	whole, err := s.laterBlocks(ctx, get, first)
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrTooLarge) {
		return whole, err
	}
	whole, err = s.do(ctx, get, s.cfg.MaxBody)
	if err != nil {
		return nil, err
	}
	whole.Observe = optionalUint(first.Options, Observe)
	return whole, nil
}

func (s *Session) laterBlocks(ctx context.Context, get *Request, first *Message) (*Response, error) {
	if err := s.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer s.endTurn()
	return s.fetchRest(ctx, get, newToken(), first, s.cfg.MaxBody)
}

// Notify sends a notification for an observation that the peer's request
// began, confirmable, and waits until it is acknowledged. The peer fetches
// blocks after the first by itself. After ErrReset or ErrTimeout the peer is
// not interested any more (RFC 7641 §4.5).
func (s *Session) Notify(ctx context.Context, observation *Request, response *Response) error {
	m := &Message{Type: Confirmable, Code: response.Code, ID: s.newID(), Token: observation.Token}
	asked := &Message{Code: GET}
	asked.Options.AddStrings(URIPath, observation.Path)
	asked.Options.AddStrings(URIQuery, observation.Query)
	first := s.firstBlock(asked, response)
	m.Options, m.Payload = first.Options, first.Payload
	return s.sendSeparate(ctx, m)
}
