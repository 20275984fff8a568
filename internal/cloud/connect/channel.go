package connect

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mbl/internal/cloud"
)

const (
	pollWait        = 30 * time.Second // clients give up after 60 s
	channelLife     = 10 * time.Minute // without anybody asking
	eventsOfMessage = 1000             // at most
)

// channel is what waits for one API key. A request opens one as a poll does,
// so that an answer that comes before the first poll is kept for it.
type channel struct {
	account  string
	pending  []*Message
	bytes    int
	polled   bool // a client has polled: it is a channel to the outside
	polling  bool
	overflow bool
	deleted  bool
	usedAt   time.Time
	wake     chan struct{} // holds one element when something has come
}

// channels are all channels, one a key.
type channels struct {
	now  func() time.Time
	most int // bytes in a channel
	log  *slog.Logger

	mu    sync.Mutex
	byKey map[string]*channel
}

// open returns a key's channel, which it makes if need be. c.mu is held.
func (c *channels) open(who cloud.Principal) *channel {
	ch := c.byKey[who.KeyID]
	if ch == nil {
		ch = &channel{account: who.AccountID, wake: make(chan struct{}, 1)}
		c.byKey[who.KeyID] = ch
	}
	ch.usedAt = c.now()
	return ch
}

// expect opens a key's channel for an answer that will come.
func (c *channels) expect(who cloud.Principal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open(who)
}

// toKey puts a message into a key's channel, if it lives.
func (c *channels) toKey(keyID string, m *Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.byKey[keyID]; ch != nil {
		c.put(keyID, ch, m, m.size())
	}
}

// toAccount puts a message into every channel of an account.
func (c *channels) toAccount(accountID string, m *Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := m.size()
	for keyID, ch := range c.byKey {
		if ch.account == accountID {
			c.put(keyID, ch, m, size)
		}
	}
}

// put keeps a message. A channel that nobody empties is emptied, and its
// client told so: it can ask again for what it needs.
func (c *channels) put(keyID string, ch *channel, m *Message, size int) {
	if ch.bytes+size > c.most {
		c.log.Warn("a notification channel is full and was emptied", "key", keyID, "messages", len(ch.pending))
		ch.pending, ch.bytes, ch.overflow = nil, 0, true
	} else {
		ch.pending, ch.bytes = append(ch.pending, m), ch.bytes+size
	}
	ch.rouse()
}

// rouse has whoever polls look again.
func (ch *channel) rouse() {
	select {
	case ch.wake <- struct{}{}:
	default:
	}
}

// take removes what a channel holds, as much as fits into one message. c.mu
// is held.
func (ch *channel) take() *Message {
	count := min(len(ch.pending), eventsOfMessage)
	taken := &Message{}
	for _, m := range ch.pending[:count] {
		taken.add(m)
		ch.bytes -= m.size()
	}
	ch.pending = append([]*Message(nil), ch.pending[count:]...)
	return taken
}

// Poll waits for what comes for the caller, for half a minute at most, and
// returns nil if nothing did. It returns ErrPolling while another poll of the
// same key waits, ErrOverflow once after the channel overflowed. A message
// that could not be delivered goes back with Return.
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
		if m, over, err := s.channels.next(ch); over || err != nil {
			return m, err
		}
		select {
		case <-ch.wake:
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
	ch := c.open(who)
	if ch.polling {
		return nil, ErrPolling
	}
	ch.polled, ch.polling = true, true
	return ch, nil
}

func (c *channels) endPoll(ch *channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.polling, ch.usedAt = false, c.now()
}

// next is what a poll has to say, over when there is no need to wait longer.
func (c *channels) next(ch *channel) (m *Message, over bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch.overflow {
		ch.overflow = false
		return nil, true, ErrOverflow
	}
	if ch.deleted || len(ch.pending) == 0 {
		return nil, ch.deleted, nil
	}
	return ch.take(), true, nil
}

// Return puts a message that Poll gave and that did not reach the client back
// to the front of the channel.
func (s *Service) Return(who cloud.Principal, m *Message) {
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	if ch := s.channels.byKey[who.KeyID]; ch != nil {
		ch.pending = append([]*Message{m}, ch.pending...)
		ch.bytes += m.size()
	}
}

// ChannelOpen tells whether the caller has a channel.
func (s *Service) ChannelOpen(who cloud.Principal) bool {
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	ch := s.channels.byKey[who.KeyID]
	return ch != nil && ch.polled
}

// CloseChannel deletes the caller's channel with all that waits in it, ends a
// poll that waits, and tells whether there was one.
func (s *Service) CloseChannel(who cloud.Principal) bool {
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	ch := s.channels.byKey[who.KeyID]
	if ch == nil {
		return false
	}
	delete(s.channels.byKey, who.KeyID)
	ch.deleted = true
	ch.rouse()
	return ch.polled
}

// expire forgets the channels that nobody has asked for a while.
func (c *channels) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for keyID, ch := range c.byKey {
		if !ch.polling && c.now().Sub(ch.usedAt) > channelLife {
			delete(c.byKey, keyID)
		}
	}
}
