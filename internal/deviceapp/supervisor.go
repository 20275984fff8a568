package deviceapp

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"mbl/internal/device"
)

// supervisor tells systemd how we are (sd_notify(3)). Where nobody listens it
// says nothing.
type supervisor struct{ log *slog.Logger }

// ready ends the start of the unit. It does not wait for the network: a board
// must come up without one.
func (s supervisor) ready() { s.notify(daemon.SdNotifyReady) }

func (s supervisor) stopping() { s.notify(daemon.SdNotifyStopping) }

func (s supervisor) status(state device.State) {
	text := "Not registered"
	if state.Registered {
		text = "Registered as " + state.DeviceID
	}
	s.notify("STATUS=" + text)
}

func (s supervisor) notify(message string) {
	if _, err := daemon.SdNotify(false, message); err != nil {
		s.log.Warn("cannot notify systemd", "error", err)
	}
}

// watch feeds the unit's watchdog, if it has one, as long as the device makes
// progress, until ctx ends.
func (s supervisor) watch(ctx context.Context, health *device.Health) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("cannot read the watchdog's time", "error", err)
	}
	if limit <= 0 {
		return
	}
	ticker := time.NewTicker(limit / 3)
	defer ticker.Stop()
	for {
		if health.IsStuck() {
			s.log.Error("no progress: leaving it to the watchdog")
			return
		}
		s.notify(daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
