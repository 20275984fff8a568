package cloud_test

import (
	"slices"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// registrationsEnded is a watcher that keeps the ids of the devices whose
// registrations ended.
type registrationsEnded []string

func (*registrationsEnded) Registered(*cloud.RegistrationRecord) {}

func (*registrationsEnded) RegistrationUpdated(*cloud.RegistrationRecord) {}

func (*registrationsEnded) KeyChanged(string, cloud.KeyChange) {}

func (w *registrationsEnded) RegistrationEnded(device cloud.Identity, why cloud.Ending) {
	if why != cloud.Expired {
		*w = append(*w, device.DeviceID)
	}
}

// watch has the service tell who was de-registered.
func (h *house) watch() *registrationsEnded {
	ended := &registrationsEnded{}
	h.UseWatcher(ended)
	return ended
}

func TestDeletingACertificateDidNotTellOfItsDevicesDeregistrations(t *testing.T) {
	h := newHouse(t)
	ended := h.watch()
	developer, certificate := h.certificate("a")
	registered, _ := h.device(certificate, "")
	h.register(registered, time.Hour)
	silent, _ := h.device(certificate, "")
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, developer.ID); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(*ended, []string{registered.DeviceID}) {
		t.Errorf("told of %q, want %s", *ended, registered.DeviceID)
	}
	for _, device := range []cloud.Identity{registered, silent} {
		if !slices.Contains(h.connections.disconnected, device.DeviceID) {
			t.Errorf("%s is still connected", device.DeviceID)
		}
	}
}

func TestDevicesOfADeactivatedLwM2MAuthorityStayedRegistered(t *testing.T) {
	h := newHouse(t)
	ended := h.watch()
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.LwM2MService)
	device, _ := h.admit(f, "gateway-1")
	silent, _ := h.admit(f, "gateway-2")
	h.register(device, time.Hour)
	if renewed, _ := h.admit(f, "gateway-1"); renewed != device { // its registration stays
		t.Fatal("it became another device")
	}
	h.setActive(uploaded.ID, false)
	if entry := h.entry(device.DeviceID); entry.State != cloud.StateDeregistered || !slices.Equal(*ended, []string{device.DeviceID}) {
		t.Errorf("it is %s, told of %q", entry.State, *ended)
	}
	if _, err := h.DeviceRegistration(h.ctx, device.DeviceID); err == nil {
		t.Error("it is still registered")
	}
	if entry := h.entry(silent.DeviceID); entry.State != cloud.StateBootstrapped {
		t.Errorf("what was not registered is %s", entry.State)
	}
	if !slices.Contains(h.connections.disconnected, device.DeviceID) || !slices.Contains(h.connections.disconnected, silent.DeviceID) {
		t.Errorf("disconnected are %q", h.connections.disconnected)
	}
	h.setActive(uploaded.ID, true)
	h.register(device, time.Hour)
}

func TestDevicesOfADeactivatedBootstrapCertificateStayRegistered(t *testing.T) {
	h := newHouse(t)
	ended := h.watch()
	developer, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	h.register(device, time.Hour)
	h.setActive(developer.ID, false)
	if entry := h.entry(device.DeviceID); entry.State != cloud.StateRegistered || len(*ended) > 0 {
		t.Errorf("it is %s, told of %q", entry.State, *ended)
	}
}

func TestADeviceCutOffAfterItWasRecognisedRegistered(t *testing.T) {
	for name, cutOff := range map[string]func(h *house, device cloud.Identity, certificateID string) error{
		"suspended": func(h *house, device cloud.Identity, _ string) error {
			return h.SuspendDevice(h.ctx, h.who, device.DeviceID, "security", "")
		},
		"its authority deactivated": func(h *house, _ cloud.Identity, certificateID string) error {
			h.setActive(certificateID, false)
			return nil
		},
		"its authority deleted": func(h *house, _ cloud.Identity, certificateID string) error {
			return h.DeleteTrustedCertificate(h.ctx, h.who, certificateID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			f := newFactory(t, "Factory")
			uploaded := h.upload(f, cloud.LwM2MService)
			device, _ := h.admit(f, "gateway-1") // recognised
			if err := cutOff(h, device, uploaded.ID); err != nil {
				t.Fatal(err)
			}
			_, err := h.Register(h.ctx, device, cloud.Registration{EndpointName: device.EndpointName})
			wantError(t, "its registration", err, cloud.ErrForbidden)
			if entry := h.entry(device.DeviceID); entry.State == cloud.StateRegistered {
				t.Error("it is registered")
			}
		})
	}
}
