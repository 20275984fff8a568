package cloud_test

import (
	"testing"
	"time"

	"mbl/internal/cloud"
)

func TestAccountsAreStrangersToEachOther(t *testing.T) {
	h := newHouse(t)
	developer, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	h.register(device, time.Hour)
	events, err := h.DeviceEvents(h.ctx, h.who, cloud.Query{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	stranger := cloud.Principal{AccountID: "0123456789abcdef0123456789abcdef", KeyID: "x", Administrator: true}
	name := "stolen"
	for what, err := range map[string]error{
		"device":                second(h.Device(h.ctx, stranger, device.DeviceID)),
		"device update":         second(h.UpdateDevice(h.ctx, stranger, device.DeviceID, cloud.DeviceChanges{Name: &name})),
		"device deletion":       h.DeleteDevice(h.ctx, stranger, device.DeviceID),
		"certificate":           second(h.TrustedCertificate(h.ctx, stranger, developer.ID)),
		"private key":           second(h.DeveloperCertificate(h.ctx, stranger, developer.ID)),
		"certificate deletion":  h.DeleteTrustedCertificate(h.ctx, stranger, developer.ID),
		"API key":               second(h.APIKey(h.ctx, stranger, h.who.KeyID)),
		"API key update":        second(h.UpdateAPIKey(h.ctx, stranger, h.who.KeyID, cloud.APIKeySettings{Name: &name})),
		"API key deletion":      h.DeleteAPIKey(h.ctx, stranger, h.who.KeyID),
		"event":                 second(h.DeviceEvent(h.ctx, stranger, events.Items[0].ID)),
		"account":               second(h.Account(h.ctx, stranger)),
		"API key secret change": resetSecret(h, stranger),
	} {
		wantError(t, what, err, cloud.ErrNotFound)
	}
	for what, total := range map[string]int{
		"devices":      count(h.Devices(h.ctx, stranger, cloud.Query{Limit: 2})),
		"certificates": count(h.TrustedCertificates(h.ctx, stranger, cloud.Query{Limit: 2})),
		"keys":         count(h.APIKeys(h.ctx, stranger, cloud.Query{Limit: 2})),
		"events":       count(h.DeviceEvents(h.ctx, stranger, cloud.Query{Limit: 2})),
	} {
		if total != 0 {
			t.Errorf("the stranger sees %d %s", total, what)
		}
	}
	if entry := h.entry(device.DeviceID); entry.Name == name || entry.State != cloud.StateRegistered {
		t.Errorf("the stranger changed the device: %+v", entry)
	}
}

func second[T any](_ T, err error) error { return err }

func resetSecret(h *house, who cloud.Principal) error {
	_, _, err := h.ResetAPIKeySecret(h.ctx, who, h.who.KeyID)
	return err
}

// count is a page's total, -1 if there is none.
func count[T any](page cloud.Page[T], err error) int {
	if err != nil {
		return -1
	}
	return page.Total
}

func TestAPreparedServiceIsReadyUntilItsStoreIsNot(t *testing.T) {
	h := newHouse(t)
	if err := h.Ready(h.ctx); err != nil {
		t.Error(err)
	}
	if first, err := h.Prepare(h.ctx); first || err != nil {
		t.Errorf("preparing again: first %v, %v", first, err)
	}
	h.memory.Store = brokenStore{h.memory.Store}
	wantError(t, "with a broken store", h.Ready(h.ctx), errBroken)
}
