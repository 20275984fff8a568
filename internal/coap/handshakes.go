package coap

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// handshakes bounds the handshakes under way. When there are too many,
// newcomers wait for one to end, or for one that has gone on for so long that
// it may be given up: a first datagram costs its sender nothing and may name
// any sender, so a few hundred of them must not keep everyone else out.
type handshakes struct {
	limit        int
	stalledAfter time.Duration
	ended        chan struct{} // a place may be free

	mu       sync.Mutex
	underWay *list.List // of *handshake, the oldest first
}

type handshake struct {
	began  time.Time
	cancel context.CancelFunc
}

func newHandshakes(limit int, stalledAfter time.Duration) *handshakes {
	return &handshakes{limit: limit, stalledAfter: stalledAfter, ended: make(chan struct{}, 1), underWay: list.New()}
}

// begin waits for a place and takes it; end gives it back. The context it
// returns ends when the handshake is given up. It returns ctx's error if ctx
// ends first.
func (h *handshakes) begin(ctx context.Context) (shaking context.Context, end func(), err error) {
	shaking, cancel := context.WithCancel(ctx)
	for {
		place, wait := h.take(cancel)
		if place != nil {
			return shaking, func() { h.end(place) }, nil
		}
		select {
		case <-h.ended:
		case <-time.After(wait):
		case <-ctx.Done():
			cancel()
			return nil, nil, ctx.Err()
		}
	}
}

// take takes a place, or says how long to wait for one.
func (h *handshakes) take(cancel context.CancelFunc) (place *list.Element, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.underWay.Len() >= h.limit {
		oldest := h.underWay.Front()
		if wait := h.stalledAfter - time.Since(oldest.Value.(*handshake).began); wait > 0 {
			return nil, wait
		}
		h.remove(oldest)
	}
	return h.underWay.PushBack(&handshake{began: time.Now(), cancel: cancel}), 0
}

func (h *handshakes) end(place *list.Element) {
	h.mu.Lock()
	h.remove(place)
	h.mu.Unlock()
	select {
	case h.ended <- struct{}{}:
	default: // the waiting one knows already
	}
}

// remove ends a handshake that is still under way. (Removing a place twice
// does nothing.)
func (h *handshakes) remove(place *list.Element) {
	place.Value.(*handshake).cancel()
	h.underWay.Remove(place)
}
