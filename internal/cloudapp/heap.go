package cloudapp

import (
	"context"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"

	"mbl/internal/coap/openssl"
)

// heapFloor is room on the heap that is never touched, so that it takes no
// memory, but that the garbage collector counts. A service with few devices
// has a small heap, which would otherwise be collected every few megabytes:
// that took a twelfth of its time while devices were connecting.
const heapFloor = 32 << 20 // bytes

func newHeapFloor() []byte { return make([]byte, heapFloor) }

const (
	// tidyPeriod is how often we look whether the service holds memory that it
	// does not use, and quietBytes how much it may have allocated meanwhile to
	// count as idle.
	tidyPeriod = 10 * time.Second
	quietBytes = 20 << 20
	// spareBytes is what it may have allocated in all since it gave memory back,
	// and spareShare which part of what it uses.
	spareBytes = 2 << 20
	spareShare = 8
)

// tidy gives memory back to the system when the service has nothing to do,
// until ctx ends. The collector leaves as much unused as there is in use, the
// heap's floor included, and what a thousand handshakes at once needed stays
// until it comes round: for idle devices that is most of what they would cost.
func tidy(ctx context.Context) error {
	ticker := time.NewTicker(tidyPeriod)
	defer ticker.Stop()
	before := lookAtHeap()
	given := before
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := lookAtHeap()
		idle := now.allocated-before.allocated < quietBytes
		if idle && now.allocated-given.allocated > spareBytes+now.used()/spareShare {
			debug.FreeOSMemory()
			openssl.GiveBack()
			now = lookAtHeap()
			given = now
		}
		before = now
	}
}

// heapState is what the runtime says of its heap, in bytes.
type heapState struct {
	allocated uint64 // since the start
	live      uint64 // in use at the last collection
}

// used is what is in use, without the heap's floor.
func (h heapState) used() uint64 { return h.live - min(h.live, heapFloor) }

func lookAtHeap() heapState {
	samples := []runtimemetrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	runtimemetrics.Read(samples)
	return heapState{samples[0].Value.Uint64(), samples[1].Value.Uint64()}
}
