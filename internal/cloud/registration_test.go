package cloud_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func TestARegistrationMustAgreeWithTheCertificate(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	other := "0123456789abcdef0123456789abcdef"
	for name, registration := range map[string]cloud.Registration{
		"endpoint name": {EndpointName: "another"},
		"account":       {EndpointName: device.EndpointName, AccountID: other},
		"device id":     {EndpointName: device.EndpointName, DeviceID: other},
		"lifetime":      {EndpointName: device.EndpointName, Lifetime: -time.Second},
		"links":         {EndpointName: device.EndpointName, Links: make([]cloud.Link, 5000)},
	} {
		_, err := h.Register(h.ctx, device, registration)
		wantError(t, name, err, cloud.ErrInvalid)
	}
	if state := h.entry(device.DeviceID).State; state != cloud.StateBootstrapped {
		t.Errorf("after refusals the state is %s", state)
	}
	location := h.register(device, 0)
	if !slices.Equal(location, []string{"rd", device.AccountID, device.DeviceID}) {
		t.Errorf("the location is %v", location)
	}
}

// A refusal would make the original client bootstrap again, for ever.
func TestALifetimeWithoutAnEndHasOneHere(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	endless := 100 * cloud.LongestLifetime
	wantEnd := func(what string) {
		t.Helper()
		end, err := h.RegistrationEnd(h.ctx, device.DeviceID)
		if wanted := h.now().Add(cloud.LongestLifetime); err != nil || !end.Equal(wanted.Truncate(time.Microsecond)) {
			t.Errorf("%s lasts to %v, %v", what, end, err)
		}
	}
	location := h.register(device, endless)
	wantEnd("the registration")
	h.wait(time.Hour)
	if err := h.UpdateRegistration(h.ctx, device, location, cloud.RegistrationUpdate{Lifetime: &endless}); err != nil {
		t.Fatal(err)
	}
	wantEnd("the update")
}

func TestALocationIsTheDevicesOwn(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	first, _ := h.device(certificate, "")
	second, _ := h.device(certificate, "")
	location := h.register(first, time.Hour)
	h.register(second, time.Hour)
	wantError(t, "another's update", h.UpdateRegistration(h.ctx, second, location, cloud.RegistrationUpdate{}), cloud.ErrNotFound)
	wantError(t, "another's end", h.Deregister(h.ctx, second, location), cloud.ErrNotFound)
	wantError(t, "nowhere", h.Deregister(h.ctx, first, []string{"rd"}), cloud.ErrNotFound)
	if h.entry(first.DeviceID).State != cloud.StateRegistered {
		t.Error("the registration was ended by another")
	}
	if err := h.Deregister(h.ctx, first, location); err != nil {
		t.Fatal(err)
	}
	wantError(t, "ending twice", h.Deregister(h.ctx, first, location), cloud.ErrNotFound)
	if state := h.entry(first.DeviceID).State; state != cloud.StateDeregistered {
		t.Errorf("the state is %s", state)
	}
}

func TestASilentDeviceExpires(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	location := h.register(device, time.Minute)
	expire := func(wanted cloud.DeviceState) {
		t.Helper()
		if err := h.ExpireRegistrations(h.ctx); err != nil {
			t.Fatal(err)
		}
		if state := h.entry(device.DeviceID).State; state != wanted {
			t.Errorf("the state is %s", state)
		}
	}
	h.wait(59 * time.Second)
	expire(cloud.StateRegistered)
	if err := h.UpdateRegistration(h.ctx, device, location, cloud.RegistrationUpdate{}); err != nil {
		t.Fatal(err)
	}
	h.wait(59 * time.Second)
	expire(cloud.StateRegistered)
	longer := time.Hour
	if err := h.UpdateRegistration(h.ctx, device, location, cloud.RegistrationUpdate{Lifetime: &longer}); err != nil {
		t.Fatal(err)
	}
	h.wait(59 * time.Minute)
	expire(cloud.StateRegistered)
	h.wait(time.Minute)
	expire(cloud.StateDeregistered)
	wantError(t, "an update afterwards", h.UpdateRegistration(h.ctx, device, location, cloud.RegistrationUpdate{}), cloud.ErrNotFound)
	wanted := []cloud.EventType{cloud.EventBootstrap, cloud.EventRegistration, cloud.EventRegistrationExpired}
	if got := h.events(device.DeviceID); !slices.Equal(got, wanted) {
		t.Errorf("its events are %v", got)
	}
	h.register(device, time.Minute)
	expire(cloud.StateRegistered)
}

func TestManySilentDevicesExpireTogether(t *testing.T) {
	h := newHouseWith(t, cloud.Limits{})
	_, certificate := h.certificate("a")
	const count = 230 // more than one transaction takes
	for range count {
		device, _ := h.device(certificate, "")
		h.register(device, time.Minute)
	}
	h.wait(time.Hour)
	if err := h.ExpireRegistrations(h.ctx); err != nil {
		t.Fatal(err)
	}
	page, err := h.Devices(h.ctx, h.who, cloud.Query{Limit: 2, Conditions: []cloud.Condition{
		{Field: "state", Operator: cloud.Equal, Values: []any{"deregistered"}},
	}})
	if err != nil || page.Total != count {
		t.Errorf("%d expired, %v", page.Total, err)
	}
}

func TestLinksTellVendorClassAndSerialNumber(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	id := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	location := h.register(device, time.Hour,
		cloud.Link{Path: "/10255/0/3", Attributes: map[string]string{"v": id, "aobs": "899"}},
		cloud.Link{Path: "/10255/0/4", Attributes: map[string]string{"v": "not base64"}},
		cloud.Link{Path: "/3/0/2", Attributes: map[string]string{"v": "a\x00b"}},
		cloud.Link{Path: "/3/0"},
	)
	entry := h.entry(device.DeviceID)
	if entry.VendorID != "30313233343536373839616263646566" || entry.DeviceClass != "" || entry.SerialNumber != "" {
		t.Errorf("the entry is %+v", entry)
	}
	update := cloud.RegistrationUpdate{Links: []cloud.Link{{Path: "/3/0/2", Attributes: map[string]string{"v": "SN"}}}}
	if err := h.UpdateRegistration(h.ctx, device, location, update); err != nil {
		t.Fatal(err)
	}
	if entry := h.entry(device.DeviceID); entry.SerialNumber != "SN" || entry.VendorID == "" {
		t.Errorf("after an update the entry is %+v", entry)
	}
}

func TestAnUpdateAddsChangesAndRemovesLinks(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	location := h.register(device, time.Hour, cloud.Link{Path: "/1/0"}, cloud.Link{Path: "/3/0"}, cloud.Link{Path: "/5/0"})
	update := cloud.RegistrationUpdate{Binding: "UQ", RemoteAddr: "[::1]:7", Links: []cloud.Link{
		{Path: "/3/0", Attributes: map[string]string{"obs": ""}},
		{Path: "/5/0", Attributes: map[string]string{"d": ""}},
		{Path: "/9/0", Attributes: map[string]string{"d": ""}},
		{Path: "/14/0"},
	}}
	if err := h.UpdateRegistration(h.ctx, device, location, update); err != nil {
		t.Fatal(err)
	}
	record, err := h.memory.Registration(h.ctx, device.DeviceID)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, link := range record.Links {
		paths = append(paths, link.Path)
	}
	if !slices.Equal(paths, []string{"/1/0", "/3/0", "/14/0"}) || record.Binding != "UQ" || record.RemoteAddr != "[::1]:7" {
		t.Errorf("the registration is %+v", record)
	}
	if _, observable := record.Links[1].Attributes["obs"]; !observable {
		t.Error("the changed link is unchanged")
	}
}

func TestRegistrationsOutliveARestart(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, own := h.device(certificate, "")
	location := h.register(device, time.Hour)
	h.start()
	again, err := h.RecognizeDevice(h.ctx, own)
	if err != nil || again != device {
		t.Errorf("recognized %+v, %v", again, err)
	}
	if err := h.UpdateRegistration(h.ctx, device, location, cloud.RegistrationUpdate{}); err != nil {
		t.Error(err)
	}
}

func TestAPathThatIsNamedTwiceCountsOnce(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	observable := map[string]string{"obs": ""}
	location := h.register(device, time.Hour, cloud.Link{Path: "/3/0"}, cloud.Link{Path: "/1/0"}, cloud.Link{Path: "/3/0", Attributes: observable})
	update := cloud.RegistrationUpdate{Links: []cloud.Link{
		{Path: "/1/0", Attributes: map[string]string{"d": ""}}, {Path: "/5/0"}, {Path: "/5/0", Attributes: observable}, {Path: "/1/0"},
	}}
	for _, want := range []string{"[{/3/0 map[obs:]} {/1/0 map[]}]", "[{/3/0 map[obs:]} {/5/0 map[obs:]} {/1/0 map[]}]"} {
		record, err := h.memory.Registration(h.ctx, device.DeviceID)
		if err != nil || fmt.Sprint(record.Links) != want {
			t.Errorf("registered %v, %v", record, err)
		}
		if err := h.UpdateRegistration(h.ctx, device, location, update); err != nil {
			t.Fatal(err)
		}
	}
}
