package coap

import (
	"hash/maphash"
	"time"
)

// rememberedMessages is how many received messages a session can tell from
// their repetitions. A peer has one or two exchanges under way, so this is
// plenty; it bounds what a session keeps.
const rememberedMessages = 16

// exchangeLifetime is how long a message id may come again as a repetition
// (RFC 7252 §4.8.2).
const exchangeLifetime = 247 * time.Second

// received is one confirmable or non-confirmable message of the peer.
type received struct {
	id     uint16
	sum    uint64
	at     time.Time
	answer []byte // what to send again on repetition; nil while there is none
}

// duplicates remembers the latest messages. A repetition is equal byte for
// byte: the id alone does not do, because the devices in the field answer some
// of our requests with our own id, which is outside their numbering.
type duplicates struct {
	seed   maphash.Seed
	latest [rememberedMessages]*received
	next   int
}

// note returns what is remembered of the message. repeated is false when it is
// new; then it has been remembered.
func (d *duplicates) note(id uint16, data []byte, now time.Time) (r *received, repeated bool) {
	sum := maphash.Bytes(d.seed, data)
	for _, old := range d.latest {
		if old != nil && old.id == id && old.sum == sum && now.Sub(old.at) < exchangeLifetime {
			return old, true
		}
	}
	r = &received{id: id, sum: sum, at: now}
	d.latest[d.next] = r
	d.next = (d.next + 1) % rememberedMessages
	return r, false
}

// forget makes the message's repetition count as new.
func (d *duplicates) forget(r *received) {
	for i, old := range d.latest {
		if old == r {
			d.latest[i] = nil
		}
	}
}
