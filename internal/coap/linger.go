package coap

import (
	"sync"
	"time"
)

// lingering is how long a listener that closes lets handshakes finish. They
// take a few round trips.
const lingering = 2 * time.Second

// Linger waits until the handshakes under way are done, for a little while. It
// is for listeners.
func Linger(handshakes *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		handshakes.Wait()
	}()
	select {
	case <-done:
	case <-time.After(lingering):
	}
}
