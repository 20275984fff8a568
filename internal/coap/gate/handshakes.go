package gate

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// handshakes bounds the handshakes under way. When there are too many,
// newcomers wait for one to end, or for one that has gone on for so long that
// it may be given up: peers that begin and never go on must not keep everyone
// else out.
type handshakes struct {
	limit        int
	stalledAfter time.Duration
	ended        chan struct{} // a place may be free

	mu       sync.Mutex
	underWay *list.List // of *place, the oldest first
}

// place is one handshake under way.
type place struct {
	began   time.Time
	cancel  context.CancelFunc
	element *list.Element
}

func newHandshakes(limit int, stalledAfter time.Duration) *handshakes {
	return &handshakes{limit: limit, stalledAfter: stalledAfter, ended: make(chan struct{}, 1), underWay: list.New()}
}

// begin waits for a place and takes it; end gives it back. The context it
// returns ends when the handshake is given up. It returns ctx's error if ctx
// ends first.
func (h *handshakes) begin(ctx context.Context) (shaking context.Context, taken *place, err error) {
	shaking, cancel := context.WithCancel(ctx)
	for {
		taken, wait := h.take(cancel)
		if taken != nil {
			h.tellIfRoom() // of two who ended at once one may have gone unheard
			return shaking, taken, nil
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
func (h *handshakes) take(cancel context.CancelFunc) (taken *place, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.underWay.Len() >= h.limit {
		oldest := h.underWay.Front().Value.(*place)
		if wait := h.stalledAfter - time.Since(oldest.began); wait > 0 {
			return nil, wait
		}
		h.remove(oldest)
	}
	taken = &place{began: time.Now(), cancel: cancel}
	taken.element = h.underWay.PushBack(taken)
	return taken, 0
}

func (h *handshakes) end(ended *place) {
	h.mu.Lock()
	h.remove(ended)
	h.mu.Unlock()
	h.tellIfRoom()
}

// tellIfRoom wakes one of those who wait if there is a place.
func (h *handshakes) tellIfRoom() {
	h.mu.Lock()
	room := h.underWay.Len() < h.limit
	h.mu.Unlock()
	if !room {
		return
	}
	select {
	case h.ended <- struct{}{}:
	default: // one is being woken already
	}
}

// remove ends a handshake that is still under way. (Removing a place twice
// does nothing.)
func (h *handshakes) remove(ended *place) {
	ended.cancel()
	h.underWay.Remove(ended.element)
}
