package cloud_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// denials are the endpoint names that were denied under a certificate, oldest
// first.
func (h *house) denials(certificateID string) (names []string) {
	h.t.Helper()
	page, err := h.Denials(h.ctx, h.who, cloud.Query{Limit: 1000, Conditions: []cloud.Condition{
		{Field: "trusted_certificate_id", Operator: cloud.Equal, Values: []any{certificateID}},
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, denial := range page.Items {
		names = append(names, denial.EndpointName)
	}
	return names
}

func (h *house) setActive(certificateID string, active bool) {
	h.t.Helper()
	if _, err := h.UpdateTrustedCertificate(h.ctx, h.who, certificateID, cloud.CertificateChanges{Active: &active}); err != nil {
		h.t.Fatal(err)
	}
}

func TestBootstrapsByABlockedAuthorityAreDenials(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.BootstrapService)
	known, _ := h.device(f.device("gateway-1"), "")
	h.setActive(uploaded.ID, false)
	for _, name := range []string{"gateway-1", "gateway-2", "gateway-1"} {
		wantError(t, name, h.RecognizeBootstrap(h.ctx, f.device(name), nil, remoteAddr), cloud.ErrUnauthorized)
	}
	wantError(t, "a stranger", h.RecognizeBootstrap(h.ctx, newFactory(t, "Factory").device("x"), nil, remoteAddr), cloud.ErrUnauthorized)
	if got := h.denials(uploaded.ID); fmt.Sprint(got) != "[gateway-1 gateway-2]" {
		t.Errorf("denied %v", got)
	}
	if events := h.events(known.DeviceID); !slices.Contains(events, cloud.EventBootstrapRefused) {
		t.Errorf("the known device's events are %v", events)
	}
	h.wait(time.Hour)
	wantError(t, "later", h.RecognizeBootstrap(h.ctx, f.device("gateway-1"), nil, remoteAddr), cloud.ErrUnauthorized)
	if got := h.denials(uploaded.ID); fmt.Sprint(got) != "[gateway-2 gateway-1]" {
		t.Errorf("later denied %v", got)
	}
}

func TestADeveloperCertificateThatIsBlockedOrFullIsDenied(t *testing.T) {
	h := newHouseWith(t, cloud.Limits{DevicesPerCertificate: 1})
	developer, certificate := h.certificate("a")
	h.device(certificate, "")
	_, err := h.Bootstrap(h.ctx, h.request(certificate, ""))
	wantError(t, "a second device", err, cloud.ErrLimit)
	h.wait(time.Hour)
	h.setActive(developer.ID, false)
	wantError(t, "a blocked one", h.RecognizeBootstrap(h.ctx, certificate, nil, remoteAddr), cloud.ErrUnauthorized)
	if got := h.denials(developer.ID); fmt.Sprint(got) != "["+developer.EndpointName+"]" {
		t.Errorf("denied %v", got)
	}
}

func TestDevicesRefusedByTheLwM2MServerAreDenials(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.LwM2MService)
	suspended, own := h.admit(f, "gateway-1")
	blocked, other := h.admit(f, "gateway-2")
	h.suspend(suspended.DeviceID)
	for range 2 { // it comes again and again
		wantError(t, "the suspended one", h.AdmitDevice(h.ctx, own, nil, remoteAddr), cloud.ErrUnauthorized)
	}
	h.setActive(uploaded.ID, false)
	wantError(t, "one of a blocked authority", h.AdmitDevice(h.ctx, other, nil, remoteAddr), cloud.ErrUnauthorized)
	wantError(t, "a new one of it", h.AdmitDevice(h.ctx, f.device("gateway-3"), nil, remoteAddr), cloud.ErrUnauthorized)
	if got := h.denials(uploaded.ID); fmt.Sprint(got) != "[gateway-1 gateway-2 gateway-3]" {
		t.Errorf("denied %v", got)
	}
	for _, device := range []cloud.Identity{suspended, blocked} {
		refusals := 0
		for _, event := range h.events(device.DeviceID) {
			if event == cloud.EventAdmissionRefused {
				refusals++
			}
		}
		if refusals != 1 {
			t.Errorf("%s has %d events of it", device.EndpointName, refusals)
		}
	}
}

// Whoever looks for a refused device has nothing but where it came from.
func TestRefusalsInTheHandshakeSayWhereTheDeviceIs(t *testing.T) {
	h := newHouse(t)
	f, other := newFactory(t, "Factory"), newFactory(t, "Other")
	bootstraps, admits := h.upload(f, cloud.BootstrapService), h.upload(other, cloud.LwM2MService)
	h.setActive(bootstraps.ID, false)
	h.setActive(admits.ID, false)
	wantError(t, "a bootstrap", h.RecognizeBootstrap(h.ctx, f.device("gateway-1"), nil, remoteAddr), cloud.ErrUnauthorized)
	wantError(t, "a registration", h.AdmitDevice(h.ctx, other.device("gateway-2"), nil, remoteAddr), cloud.ErrUnauthorized)
	page, err := h.DeviceEvents(h.ctx, h.who, cloud.Query{Limit: 10})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%d events, %v", len(page.Items), err)
	}
	for _, event := range page.Items {
		if event.Data["remote_address"] != remoteAddr {
			t.Errorf("%s: %v", event.Type, event.Data)
		}
	}
}

func TestDenialsAreOfTheAccount(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.BootstrapService)
	h.setActive(uploaded.ID, false)
	wantError(t, "it", h.RecognizeBootstrap(h.ctx, f.device("gateway-1"), nil, remoteAddr), cloud.ErrUnauthorized)
	_, err := h.Denials(h.ctx, h.who, cloud.Query{Limit: 2})
	wantError(t, "of no certificate", err, cloud.ErrInvalid)
	query := cloud.Query{Limit: 2, Conditions: []cloud.Condition{
		{Field: "trusted_certificate_id", Operator: cloud.Equal, Values: []any{uploaded.ID}},
	}}
	page, err := h.Denials(h.ctx, h.who, query)
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	_, err = h.Denial(h.ctx, cloud.Principal{AccountID: "other"}, page.Items[0].ID)
	wantError(t, "another's", err, cloud.ErrNotFound)
	query.After = "0123456789abcdef0123456789abcdef"
	_, err = h.Denials(h.ctx, h.who, query)
	wantError(t, "after nothing", err, cloud.ErrNotFound)
}
