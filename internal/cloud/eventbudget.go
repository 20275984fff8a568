package cloud

import (
	"context"
	"sync"
	"time"
)

// A device that registers again and again, by a fault or on purpose, must not
// fill the store with events. What goes beyond this changes the directory and
// writes no event.
const (
	eventsPerPeriod = 20
	eventPeriod     = time.Hour
	// maxCounted bounds the devices that are counted; when there are more,
	// those counted before are forgotten.
	maxCounted = 200_000
)

// eventBudget counts the events that devices cause themselves. A restart
// forgets it, which costs a few events.
type eventBudget struct {
	mu      sync.Mutex
	devices map[string]eventCount
}

type eventCount struct {
	since  time.Time
	events int
}

// spend tells whether a device may cause another event.
func (b *eventBudget) spend(deviceID string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	count, known := b.devices[deviceID]
	if age := now.Sub(count.since); !known || age >= eventPeriod || age < 0 {
		count = eventCount{since: now}
	}
	if count.events >= eventsPerPeriod {
		return false
	}
	count.events++
	if b.devices == nil || !known && len(b.devices) >= maxCounted {
		b.devices = map[string]eventCount{}
	}
	b.devices[deviceID] = count
	return true
}

// recordFromDevice records an event that a device has caused itself, unless it
// causes too many.
func (s *Service) recordFromDevice(ctx context.Context, w Writer, event *DeviceEvent) error {
	if !s.events.spend(event.DeviceID, event.At) {
		s.log.DebugContext(ctx, "a device causes too many events; this one is not recorded", "device", event.DeviceID, "event", event.Type)
		return nil
	}
	return w.InsertEvent(ctx, event)
}
