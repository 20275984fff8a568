package connect

import (
	"sync"
	"time"

	"mbl/internal/coap"
)

// Value is what a device answered.
type Value struct {
	Payload []byte
	Type    string        // media type; may be empty
	MaxAge  time.Duration // how long it is good

	until time.Time
}

const (
	defaultMaxAge = 60 * time.Second // RFC 7252, section 5.10.5
	longestAge    = 3 * 24 * time.Hour
	mostValues    = 10_000
	largestValue  = 4 << 10 // bytes; larger ones are not kept
)

func newValue(response *coap.Response) Value {
	value := Value{Payload: response.Payload, MaxAge: defaultMaxAge}
	if response.MaxAge != nil {
		value.MaxAge = min(time.Duration(*response.MaxAge)*time.Second, longestAge)
	}
	if response.ContentFormat != nil {
		value.Type = mediaType(*response.ContentFormat)
	}
	return value
}

type valueKey struct{ device, path string }

// values are the latest values read, each for as long as it is good.
type values struct {
	now func() time.Time

	mu     sync.Mutex
	byPath map[valueKey]Value
}

func (v *values) keep(device, path string, value Value) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if value.MaxAge == 0 || len(value.Payload) > largestValue || len(v.byPath) >= mostValues {
		delete(v.byPath, valueKey{device, path})
		return
	}
	value.until = v.now().Add(value.MaxAge)
	v.byPath[valueKey{device, path}] = value
}

func (v *values) find(device, path string) (Value, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	value, has := v.byPath[valueKey{device, path}]
	return value, has && v.now().Before(value.until)
}

// forget drops a device's values: a request may have changed any of them.
func (v *values) forget(device string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for key := range v.byPath {
		if key.device == device {
			delete(v.byPath, key)
		}
	}
}

func (v *values) expire() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for key, value := range v.byPath {
		if !v.now().Before(value.until) {
			delete(v.byPath, key)
		}
	}
}
