package device

import (
	"sync"
	"time"
)

// wish is something to do with the registration.
type wish uint8

const (
	wishUpdate    wish = 1 << iota // tell the server that we are there, and with what
	wishTell                       // tell it which resources came or went, if any did
	wishDisable                    // leave it for a while
	wishBootstrap                  // fetch new credentials
)

// wishes are what the server or somebody on the device wants done. One that
// is not yet fulfilled is enough of its kind.
type wishes struct {
	mu      sync.Mutex
	pending wish
	made    chan struct{} // holds an element while some are pending
	soon    bool          // wishTell will be made
}

func newWishes() *wishes { return &wishes{made: make(chan struct{}, 1)} }

func (w *wishes) make(one wish) {
	w.mu.Lock()
	w.pending |= one
	w.mu.Unlock()
	select {
	case w.made <- struct{}{}:
	default:
	}
}

// tellSoon wishes wishTell after a moment: what comes in pieces is told once.
func (w *wishes) tellSoon(moment time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.soon {
		return
	}
	w.soon = true
	time.AfterFunc(moment, func() {
		w.mu.Lock()
		w.soon = false
		w.mu.Unlock()
		w.make(wishTell)
	})
}

// take returns what is wished, and forgets it.
func (w *wishes) take() wish {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.pending
	w.pending = 0
	return taken
}
