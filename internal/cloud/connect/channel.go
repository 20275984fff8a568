package connect

import (
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
)

const (
	channelLife     = 10 * time.Minute // without anybody asking
	socketLife      = 24 * time.Hour   // without a socket
	eventLife       = 24 * time.Hour   // then nobody wants to know any more
	eventsOfMessage = 1000             // at most, unless the client wants another number
)

// ChannelKind is how a channel delivers. A key has one channel at most.
type ChannelKind int

// The kinds. NoChannel keeps answers to a key's requests until its client
// makes a channel.
const (
	NoChannel ChannelKind = iota
	LongPoll
	Callback
	Websocket
)

// channel is what waits for one API key. A request opens one as a poll does,
// so that an answer that comes before the first poll is kept for it.
type channel struct {
	key, account string
	kind         ChannelKind
	settings     cloud.ChannelSettings // of a callback or websocket
	format       serialization
	pending      []parcel
	bytes        int
	polling      bool // a poll waits
	delivering   bool // somebody delivers to the callback
	overflow     bool
	usedAt       time.Time
	socket       *socket       // the present one; may be nil
	wake         chan struct{} // holds one element when something has come
	gone         chan struct{} // closed when it is deleted
}

// parcel is a message that waits, with what it takes of its channel's bounds.
type parcel struct {
	message *Message
	size    int // bytes
	events  int
	came    time.Time // the latest of them
}

// pack makes a parcel of a message, whose events are told from others from then
// on. Nobody else may have the message yet, unless it was packed before.
func (c *channels) pack(m *Message) parcel {
	now := c.now()
	var latest int64
	for _, stamp := range m.stamps() {
		if stamp.UID == "" {
			stamp.UID, stamp.Came = uid(c.ids.New()), now.UnixMilli()
		}
		latest = max(latest, stamp.Came)
	}
	return parcel{m, m.size(), m.events(), time.UnixMilli(latest)}
}

// uid is an id in the usual form of those of events, a UUID.
func uid(id string) string {
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

// channels are all channels, one a key.
type channels struct {
	now       func() time.Time
	most      int // bytes in a channel
	mostOfAll int // bytes in all of them
	log       *slog.Logger
	ids       *objectid.Source

	mu     sync.Mutex
	byKey  map[string]*channel
	bytes  int                  // in all of them
	closed map[string]time.Time // by their keys: when those for polls were, with no poll waiting
}

// open returns a key's channel, which it makes if need be. c.mu is held.
func (c *channels) open(keyID, accountID string) *channel {
	ch := c.byKey[keyID]
	if ch == nil {
		ch = &channel{
			key: keyID, account: accountID, format: usualSerialization(),
			wake: make(chan struct{}, 1), gone: make(chan struct{}),
		}
		c.byKey[keyID] = ch
	}
	ch.usedAt = c.now()
	return ch
}

// claim opens a key's channel as one of a kind. It returns ErrOtherChannel if
// there is one of another. c.mu is held.
func (c *channels) claim(who cloud.Principal, kind ChannelKind) (*channel, error) {
	if ch := c.byKey[who.KeyID]; ch != nil && ch.kind != NoChannel && ch.kind != kind {
		return nil, ErrOtherChannel
	}
	ch := c.open(who.KeyID, who.AccountID)
	ch.kind = kind
	return ch, nil
}

// expect opens a key's channel for an answer that will come.
func (c *channels) expect(who cloud.Principal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open(who.KeyID, who.AccountID)
}

// toKey puts a message into a key's channel, if it lives.
func (c *channels) toKey(keyID string, m *Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.byKey[keyID]; ch != nil {
		c.put(ch, c.pack(m))
	}
}

// toAccount puts a message into every channel of an account. It is made only if
// there is one: of most devices that come and go nobody wants to hear.
func (c *channels) toAccount(accountID string, write func() *Message) {
	if !c.anyOf(accountID) {
		return
	}
	message := c.pack(write())
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.byKey {
		if ch.account == accountID {
			c.put(ch, message)
		}
	}
}

func (c *channels) anyOf(accountID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.byKey {
		if ch.account == accountID {
			return true
		}
	}
	return false
}

// put keeps a message. From a channel that is not emptied the oldest ones go,
// and its client is told: it can ask again for what it needs. Where all channels
// together are too full, they go from the fullest. c.mu is held.
func (c *channels) put(ch *channel, p parcel) {
	for c.bytes > 0 && c.bytes+p.size > c.mostOfAll {
		c.dropOldest(c.fullest())
	}
	for len(ch.pending) > 0 && ch.bytes+p.size > c.most {
		c.dropOldest(ch)
	}
	if p.size > c.most {
		ch.overflow = true
	} else {
		ch.pending = append(ch.pending, p)
		c.weigh(ch, p.size)
	}
	ch.rouse()
}

// weigh counts bytes that come into a channel, or leave it.
func (c *channels) weigh(ch *channel, bytes int) {
	ch.bytes += bytes
	c.bytes += bytes
}

func (c *channels) dropOldest(ch *channel) {
	if !ch.overflow {
		c.log.Warn("a notification channel is full; its oldest events are dropped", "key", ch.key, "bytes", ch.bytes)
	}
	ch.overflow = true
	c.weigh(ch, -ch.pending[0].size)
	ch.pending = ch.pending[1:]
	ch.rouse()
}

// dropOld drops what is older than events may become.
func (c *channels) dropOld(ch *channel) {
	for len(ch.pending) > 0 && c.now().Sub(ch.pending[0].came) > eventLife {
		c.weigh(ch, -ch.pending[0].size)
		ch.pending = ch.pending[1:]
	}
}

// fullest is the channel with the most bytes. There is one: somebody puts
// something into it.
func (c *channels) fullest() *channel {
	var fullest *channel
	for _, ch := range c.byKey {
		if fullest == nil || ch.bytes > fullest.bytes {
			fullest = ch
		}
	}
	return fullest
}

// remove deletes a channel with all that waits in it.
func (c *channels) remove(ch *channel) {
	c.weigh(ch, -ch.bytes)
	ch.pending = nil
	delete(c.byKey, ch.key)
	close(ch.gone)
}

// rouse has whoever delivers look again.
func (ch *channel) rouse() {
	select {
	case ch.wake <- struct{}{}:
	default:
	}
}

// take removes what a channel holds, as much as fits into one message; nil if
// that is nothing. What cannot be delivered goes back with giveBack.
func (c *channels) take(ch *channel) *Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.takeFrom(ch)
}

func (c *channels) takeFrom(ch *channel) *Message {
	c.dropOld(ch)
	if len(ch.pending) == 0 {
		return nil
	}
	taken, count, events := batch{}, 0, 0
	for _, p := range ch.pending {
		events += p.events
		full := events > ch.format.chunk || ch.format.sorted && p.message.kinds() != ch.pending[0].message.kinds()
		if count > 0 && (full || !taken.takes(p.message)) {
			break
		}
		taken.add(p.message)
		c.weigh(ch, -p.size)
		count++
	}
	ch.pending = append([]parcel(nil), ch.pending[count:]...)
	if len(ch.pending) > 0 {
		ch.rouse()
	}
	return &taken.message
}

// write is a message as the client of a channel wants it.
func (c *channels) write(ch *channel, m *Message) ([]byte, error) {
	c.mu.Lock()
	format := ch.format
	c.mu.Unlock()
	return json.Marshal(format.dress(m))
}

// giveBack puts a message that was not delivered back to the front.
func (c *channels) giveBack(ch *channel, m *Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	back := c.pack(m)
	if c.byKey[ch.key] != ch {
		return // it was deleted meanwhile
	}
	ch.pending = append([]parcel{back}, ch.pending...)
	c.weigh(ch, back.size)
	ch.rouse()
}

// drop deletes a key's channel with all that waits in it, if it is of a kind
// and still the one that is meant (nil: whichever it is), and tells whether it
// was there.
func (c *channels) drop(keyID string, meant *channel, kinds ...ChannelKind) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.byKey[keyID]
	if ch == nil || meant != nil && ch != meant {
		return false
	}
	for _, kind := range kinds {
		if ch.kind == kind {
			c.remove(ch)
			return true
		}
	}
	return false
}

// expire forgets the channels that nobody has asked for a while, and returns
// those of them that were registered.
func (c *channels) expire() (registered []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for keyID, ch := range c.byKey {
		c.dropOld(ch)
		idle := c.now().Sub(ch.usedAt)
		switch ch.kind {
		case Callback:
			continue
		case Websocket:
			if ch.socket != nil || idle <= socketLife {
				continue
			}
			registered = append(registered, keyID)
		default:
			if ch.polling || idle <= channelLife {
				continue
			}
		}
		c.remove(ch)
	}
	maps.DeleteFunc(c.closed, func(_ string, at time.Time) bool { return c.now().Sub(at) >= stragglerTime })
	return registered
}
