package lwm2m

import (
	"context"
	"errors"
	"sync"
	"time"

	"mbl/internal/cloud"
)

// absenceGrace is how long a session may last without a registration. Over
// UDP nothing else tells that a device is gone for good.
const absenceGrace = 5 * time.Minute

// absence ends the session of a device that is not registered any more, or
// never was.
type absence struct {
	device *deviceSession
	grace  time.Duration

	mu     sync.Mutex
	timer  *time.Timer
	absent bool // at the last look
	over   bool
}

// watchAbsence looks from time to time whether the device is registered, until
// stop is called or the session ended.
func (d *deviceSession) watchAbsence(ctx context.Context) (stop func()) {
	a := &absence{device: d, grace: d.server.grace}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timer = time.AfterFunc(a.grace, func() { a.look(ctx) })
	return a.stop
}

func (a *absence) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	a.timer.Stop()
}

func (a *absence) look(ctx context.Context) {
	again, registered := a.device.expected(ctx, a.grace)
	a.mu.Lock()
	gone := !registered && (a.absent || again == 0)
	a.absent = !registered
	if !gone && !a.over {
		a.timer.Reset(again)
	}
	a.mu.Unlock()
	if gone {
		a.device.log().Info("session ended: its device is not registered")
		_ = a.device.session.Close()
	}
}

// expected tells whether the device is registered, and when to look again; 0
// for one that has not even said anything.
func (d *deviceSession) expected(ctx context.Context, grace time.Duration) (again time.Duration, registered bool) {
	d.mu.Lock()
	id := d.id
	d.mu.Unlock()
	if id == "" {
		return 0, false
	}
	end, err := d.server.svc.RegistrationEnd(ctx, id)
	switch {
	case errors.Is(err, cloud.ErrNotFound):
		return grace, false
	case err != nil:
		d.log().Error("cannot look up a registration", "device", id, "error", err)
		return grace, true
	default:
		return max(time.Until(end), 0) + grace, true
	}
}
