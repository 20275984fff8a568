package lwm2m

import (
	"context"
	"slices"

	"mbl/internal/coap"
)

// Observer is told what devices notify of. connect.Service is one. Its methods
// are called in the order in which a device's notifications arrive.
type Observer interface {
	// Observed returns the path that a device's token stands for; known is
	// false for a token of no observation, which the device then ends.
	Observed(ctx context.Context, deviceID string, token []byte) (path []string, known bool)
	// Notified is given a notification with such a token, whole.
	Notified(ctx context.Context, deviceID string, token []byte, notification *coap.Response)
}

// UseObserver sets who is told. Call it before Serve; without one
// notifications are acknowledged and dropped.
func (m *ManagementServer) UseObserver(observer Observer) { m.observer = observer }

// Session is a number for a device's present session that no other session
// has had; 0 without one.
func (m *ManagementServer) Session(deviceID string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[deviceID].number
}

// Observed implements coap.Observer: what a device says counts as long as it
// may say anything.
func (d *deviceSession) Observed(ctx context.Context, token []byte) (path []string, known bool) {
	identity, err := d.identify(ctx)
	if err != nil {
		if isRefusal(err) {
			return nil, false
		}
		d.log().Error("cannot tell who sends a notification", "error", err)
		return nil, true
	}
	return d.server.observer.Observed(ctx, identity.DeviceID, token)
}

// Notified implements coap.Observer.
func (d *deviceSession) Notified(ctx context.Context, token []byte, notification *coap.Response) {
	d.mu.Lock()
	id := d.id
	d.mu.Unlock()
	if id == "" { // who it is could not be found out
		return
	}
	notification.Payload = slices.Clone(notification.Payload) // not the whole message
	d.server.observer.Notified(ctx, id, token, notification)
}

// deaf acknowledges everything: devices send nothing more of a resource until
// its last notification was acknowledged.
type deaf struct{}

func (deaf) Observed(context.Context, string, []byte) ([]string, bool) { return nil, true }

func (deaf) Notified(context.Context, string, []byte, *coap.Response) {}
