package cloud_test

import (
	"slices"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func (h *house) suspend(id string) {
	h.t.Helper()
	if err := h.SuspendDevice(h.ctx, h.who, id, "security", "seen elsewhere"); err != nil {
		h.t.Fatal(err)
	}
}

func TestASuspendedDeviceIsCutOffUntilItIsResumed(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, issued := h.device(certificate, "")
	h.register(device, time.Hour)
	halfWay := h.begin(certificate, device.DeviceID)
	h.suspend(device.DeviceID)

	h.wantUnrecognized("the device", issued)
	_, err := h.Bootstrap(h.ctx, h.request(certificate, device.DeviceID))
	wantError(t, "a bootstrap", err, cloud.ErrForbidden)
	wantError(t, "one half way", h.BootstrapFinished(h.ctx, halfWay), cloud.ErrForbidden)
	entry := h.entry(device.DeviceID)
	if entry.State != cloud.StateDeregistered || !entry.Suspension.Active || entry.Suspension.Category != "security" ||
		entry.Suspension.Description != "seen elsewhere" || !slices.Contains(h.connections.disconnected, device.DeviceID) {
		t.Errorf("the entry is %+v, disconnected %v", entry, h.connections.disconnected)
	}

	wantError(t, "resumed for another reason", h.ResumeDevice(h.ctx, h.who, device.DeviceID, "maintenance", ""), cloud.ErrInvalid)
	if err := h.ResumeDevice(h.ctx, h.who, device.DeviceID, "security", "was found"); err != nil {
		t.Fatal(err)
	}
	if again, err := h.RecognizeDevice(h.ctx, issued); again != device || err != nil {
		t.Errorf("resumed it is %v, %v", again, err)
	}
	h.register(device, time.Hour)
	if entry := h.entry(device.DeviceID); entry.Suspension.Active || entry.Suspension.Description != "was found" {
		t.Errorf("resumed the entry is %+v", entry.Suspension)
	}
	wantError(t, "resumed twice", h.ResumeDevice(h.ctx, h.who, device.DeviceID, "", ""), cloud.ErrInvalid)
	events := h.events(device.DeviceID)
	for _, kind := range []cloud.EventType{cloud.EventDeviceSuspended, cloud.EventDeviceResumed} {
		if !slices.Contains(events, kind) {
			t.Errorf("the events are %v", events)
		}
	}
}

func TestSuspensionsThatAreRefused(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	wantError(t, "an unknown reason", h.SuspendDevice(h.ctx, h.who, device.DeviceID, "mood", ""), cloud.ErrInvalid)
	wantError(t, "a missing device", h.SuspendDevice(h.ctx, h.who, "0", "", ""), cloud.ErrNotFound)
	stranger := cloud.Principal{AccountID: "other"}
	wantError(t, "another's device", h.SuspendDevice(h.ctx, stranger, device.DeviceID, "", ""), cloud.ErrNotFound)
	wantError(t, "resuming it", h.ResumeDevice(h.ctx, stranger, device.DeviceID, "", ""), cloud.ErrNotFound)
}

func TestASuspendedDeviceDoesNotComeBackByAnotherCertificate(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	h.upload(f, cloud.LwM2MService)
	device, own := h.admit(f, "gateway-1")
	h.suspend(device.DeviceID)
	wantError(t, "its certificate", h.AdmitDevice(h.ctx, own, nil, remoteAddr), cloud.ErrUnauthorized)
	wantError(t, "a new one", h.AdmitDevice(h.ctx, f.device("gateway-1"), nil, remoteAddr), cloud.ErrUnauthorized)
}
