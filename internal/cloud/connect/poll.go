package connect

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

const pollWait = 30 * time.Second // clients give up after 60 s

// Poll waits for what comes for the caller, for half a minute at most, and
// returns nil if nothing did. It returns ErrPolling while another poll of the
// same key waits, ErrOverflow once after the channel overflowed, and
// ErrOtherChannel if the caller has a channel of another kind. A message that
// could not be delivered goes back with Return.
func (s *Service) Poll(ctx context.Context, who cloud.Principal) (*Message, error) {
	ch, err := s.channels.startPoll(who)
	if err != nil {
		return nil, err
	}
	defer s.channels.endPoll(ch)
	timer := time.NewTimer(pollWait)
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

func (c *channels) startPoll(who cloud.Principal) (*channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch, err := c.claim(who, LongPoll)
	if err != nil {
		return nil, err
	}
	if ch.polling {
		return nil, ErrPolling
	}
	ch.polling = true
	return ch, nil
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
// in it, ends a poll that waits, and tells whether there was one.
func (s *Service) CloseChannel(who cloud.Principal) bool {
	polled := s.channels.drop(who.KeyID, nil, LongPoll)
	s.channels.drop(who.KeyID, nil, NoChannel)
	return polled
}
