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

// values are the latest values read, each for as long as it is good.
type values struct {
	now func() time.Time

	mu       sync.Mutex
	count    int
	ofDevice map[string]map[string]Value // by device id and path
}

func (v *values) keep(device, path string, value Value) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop(device, path)
	if value.MaxAge == 0 || len(value.Payload) > largestValue || v.count >= mostValues {
		return
	}
	value.until = v.now().Add(value.MaxAge)
	if v.ofDevice[device] == nil {
		v.ofDevice[device] = map[string]Value{}
	}
	v.ofDevice[device][path] = value
	v.count++
}

// drop forgets a value, known or not. v.mu is held.
func (v *values) drop(device, path string) {
	if _, known := v.ofDevice[device][path]; !known {
		return
	}
	v.count--
	if delete(v.ofDevice[device], path); len(v.ofDevice[device]) == 0 {
		delete(v.ofDevice, device)
	}
}

func (v *values) find(device, path string) (Value, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	value, has := v.ofDevice[device][path]
	return value, has && v.now().Before(value.until)
}

// forget drops a device's values: a request may have changed any of them.
func (v *values) forget(device string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.count -= len(v.ofDevice[device])
	delete(v.ofDevice, device)
}

func (v *values) expire() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for device, ofPath := range v.ofDevice {
		for path, value := range ofPath {
			if !v.now().Before(value.until) {
				v.drop(device, path)
			}
		}
	}
}
