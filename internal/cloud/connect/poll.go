package connect

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

const (
	pollWait = 30 * time.Second // clients give up after 60 s
	// stragglerTime is how long after its channel's end a poll may come that its
	// client had begun before.
	stragglerTime = 2 * time.Second
)

// Poll waits for what comes for the caller, for half a minute at most, and
// returns nil if nothing did. It returns ErrPolling while another poll of the
// same key waits, ErrOverflow once after the channel overflowed, and
// ErrOtherChannel if the caller has a channel of another kind. A message that
// could not be delivered goes back with Return.
func (s *Service) Poll(ctx context.Context, who cloud.Principal) (*Message, error) {
	ch, wait, err := s.channels.startPoll(who)
	if err != nil {
		return nil, err
	}
	defer s.channels.endPoll(ch)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		if ctx.Err() != nil { // whoever asked is gone: what waits must not leave
			return nil, ctx.Err()
		}
		if m, err := s.channels.next(ch); m != nil || err != nil {
			return m, err
		}
		select {
		case <-ch.wake:
		case <-ch.gone:
			return nil, nil
		case <-timer.C:
			return nil, nil
		case <-s.stopping:
			return nil, nil
		case <-ctx.Done():
		}
	}
}

// startPoll opens the caller's channel and says how long a poll waits: a
// straggler does not.
func (c *channels) startPoll(who cloud.Principal) (ch *channel, wait time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch, err = c.claim(who, LongPoll); err != nil {
		return nil, 0, err
	}
	if ch.polling {
		return nil, 0, ErrPolling
	}
	ch.polling = true
	closed, wait := c.closed[who.KeyID], pollWait
	if c.now().Sub(closed) < stragglerTime {
		wait = 0
	}
	delete(c.closed, who.KeyID)
	return ch, wait, nil
}

func (c *channels) endPoll(ch *channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.polling, ch.usedAt = false, c.now()
}

// next is what a poll has to say; nil for nothing yet.
func (c *channels) next(ch *channel) (*Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch.overflow {
		ch.overflow = false
		return nil, ErrOverflow
	}
	if m := c.takeFrom(ch); m != nil {
		return usualSerialization().dress(m), nil
	}
	return nil, nil
}

// Return puts a message that Poll gave and that did not reach the client back
// to the front of the channel.
func (s *Service) Return(who cloud.Principal, m *Message) {
	s.channels.mu.Lock()
	ch := s.channels.byKey[who.KeyID]
	s.channels.mu.Unlock()
	if ch != nil {
		s.channels.giveBack(ch, m)
	}
}

// CloseChannel deletes the caller's channel for long polls with all that waits
// in it, ends a poll that waits, and tells whether there was a channel.
//
// Where no poll waits, one may be on its way: the Python SDK's next is, now and
// then, and the program that stops its notifications would hang until it ends.
func (s *Service) CloseChannel(who cloud.Principal) bool {
	polled := s.channels.closePolled(who.KeyID)
	s.channels.drop(who.KeyID, nil, NoChannel)
	return polled
}

func (c *channels) closePolled(keyID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.byKey[keyID]
	if ch == nil || ch.kind != LongPoll {
		return false
	}
	if !ch.polling {
		c.closed[keyID] = c.now()
	}
	c.remove(ch)
	return true
}
