package cloud_test

import (
	"testing"
	"time"

	"mbl/internal/cloud"
)

func TestADeviceThatRegistersAgainAndAgainFillsNoEvents(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	other, _ := h.device(certificate, "")
	for range 100 {
		location := h.register(device, time.Hour)
		if err := h.Deregister(h.ctx, device, location); err != nil {
			t.Fatal(err)
		}
	}
	h.register(device, time.Hour)
	if events := h.events(device.DeviceID); len(events) > 20 {
		t.Errorf("%d events were recorded", len(events))
	}
	if state := h.entry(device.DeviceID).State; state != cloud.StateRegistered {
		t.Errorf("the directory says %s", state)
	}
	h.register(other, time.Hour)
	if events := h.events(other.DeviceID); events[len(events)-1] != cloud.EventRegistration {
		t.Errorf("another device's events are %v", events)
	}
	before := len(h.events(device.DeviceID))
	h.wait(2 * time.Hour)
	h.register(device, time.Hour)
	if events := h.events(device.DeviceID); len(events) != before+1 {
		t.Errorf("later its events are %d, and were %d", len(events), before)
	}
}
