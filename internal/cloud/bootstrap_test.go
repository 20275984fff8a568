package cloud_test

import (
	"crypto/x509"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
	"mbl/internal/pki"
)

func TestABootstrapGivesWhatADeviceNeeds(t *testing.T) {
	h := newHouse(t)
	developer, certificate := h.certificate("a")
	grant := h.begin(certificate, "")
	if grant.ServerURI != "coaps://host:5685?aid="+h.who.AccountID || grant.ShortServerID == 0 {
		t.Errorf("the server is %s, short id %d", grant.ServerURI, grant.ShortServerID)
	}
	issued := parse(t, grant.DeviceCertificate)
	wanted := pki.DeviceName{AccountID: h.who.AccountID, EndpointName: developer.EndpointName, DeviceID: grant.DeviceID}
	if name := pki.DeviceNameOf(issued); name != wanted {
		t.Errorf("the certificate speaks for %+v", name)
	}
	if len(grant.DeviceCertificate) > pki.MaxDeviceCertificate {
		t.Errorf("the certificate has %d bytes", len(grant.DeviceCertificate))
	}
	key, err := pki.ParsePrivateKey(grant.PrivateKey)
	if err != nil || !pki.KeyMatches(issued, key) {
		t.Errorf("the key is not the certificate's: %v", err)
	}
	if lwm2m := h.LwM2MCredential(); string(lwm2m.Certificate) != string(grant.ServerCA) {
		t.Error("the CA is not that of the LwM2M server")
	}
	h.wantUnrecognized("before the bootstrap is finished", issued)
	if h.countDevices() != 0 {
		t.Error("a device is in the directory before its bootstrap is finished")
	}
	if err := h.BootstrapFinished(h.ctx, grant); err != nil {
		t.Fatal(err)
	}
	identity, err := h.RecognizeDevice(h.ctx, issued)
	if err != nil || identity != (cloud.Identity{AccountID: h.who.AccountID, DeviceID: grant.DeviceID, EndpointName: developer.EndpointName}) {
		t.Errorf("recognized %+v, %v", identity, err)
	}
	entry := h.entry(grant.DeviceID)
	if entry.State != cloud.StateBootstrapped || !entry.BootstrappedAt.Equal(h.now().Truncate(time.Microsecond)) || entry.CertificateID != developer.ID {
		t.Errorf("the entry is %+v", entry)
	}
	wantError(t, "finishing twice", h.BootstrapFinished(h.ctx, grant), cloud.ErrConflict)
}

func TestOnlyTheVeryCertificateBootstraps(t *testing.T) {
	h := newHouse(t)
	developer, certificate := h.certificate("a")
	if err := h.RecognizeBootstrap(h.ctx, certificate, nil, remoteAddr); err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	forged, err := pki.SelfSignDeveloper(key, h.who.AccountID, developer.EndpointName, h.now())
	if err != nil {
		t.Fatal(err)
	}
	_, deviceCertificate := h.device(certificate, "")
	for name, stranger := range map[string]*x509.Certificate{
		"a forged certificate of the same name": parse(t, forged), "a device's LwM2M certificate": deviceCertificate,
	} {
		wantError(t, name, h.RecognizeBootstrap(h.ctx, stranger, nil, remoteAddr), cloud.ErrUnauthorized)
		_, err := h.Bootstrap(h.ctx, h.request(stranger, ""))
		wantError(t, name, err, cloud.ErrUnauthorized)
	}
	h.wantUnrecognized("the developer certificate at the LwM2M server", certificate)
	h.wait(11 * 365 * 24 * time.Hour)
	wantError(t, "after it expired", h.RecognizeBootstrap(h.ctx, certificate, nil, remoteAddr), cloud.ErrUnauthorized)
}

func TestAMessageMustAgreeWithTheCertificate(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	wrongName, wrongAccount := h.request(certificate, ""), h.request(certificate, "")
	wrongName.EndpointName = "another"
	wrongAccount.AccountID = "0123456789abcdef0123456789abcdef"
	for _, request := range []cloud.BootstrapRequest{wrongName, wrongAccount} {
		_, err := h.Bootstrap(h.ctx, request)
		wantError(t, "a lie", err, cloud.ErrInvalid)
	}
	if h.countDevices() != 0 {
		t.Error("a refused bootstrap left a device")
	}
}

func TestDevicesWithOneCertificateAreToldApart(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	first, _ := h.device(certificate, "")
	second, _ := h.device(certificate, "")
	if first.DeviceID == second.DeviceID || first.EndpointName != second.EndpointName {
		t.Errorf("the devices are %+v and %+v", first, second)
	}
}

// Lists are in the order of ids and say that it is the order of creation.
func TestDevicesAreAsOldAsTheirIDsSayWhoeverFinishesFirst(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	slow := h.begin(certificate, "")
	h.wait(time.Second)
	quick := h.begin(certificate, "")
	for _, grant := range []*cloud.BootstrapGrant{quick, slow} {
		h.wait(time.Second)
		if err := h.BootstrapFinished(h.ctx, grant); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := h.Devices(h.ctx, h.who, cloud.Query{Limit: 10})
	if err != nil || len(listed.Items) != 2 {
		t.Fatalf("%d devices, %v", len(listed.Items), err)
	}
	for _, device := range listed.Items {
		if id := objectid.First(device.CreatedAt); id[:12] != device.ID[:12] || !device.BootstrappedAt.After(device.CreatedAt) {
			t.Errorf("device %s was created at %v and bootstrapped at %v", device.ID, device.CreatedAt, device.BootstrappedAt)
		}
	}
	if first, second := listed.Items[0].CreatedAt, listed.Items[1].CreatedAt; !first.Before(second) {
		t.Errorf("listed are %v before %v", first, second)
	}
}

func TestADeviceThatComesBackStaysItself(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, old := h.device(certificate, "")
	h.register(device, time.Hour)
	before := h.entry(device.DeviceID).BootstrappedAt
	h.wait(time.Minute)
	grant := h.begin(certificate, device.DeviceID)
	if _, err := h.RecognizeDevice(h.ctx, old); err != nil {
		t.Errorf("its certificate is void before it has a new one: %v", err)
	}
	if err := h.BootstrapFinished(h.ctx, grant); err != nil {
		t.Fatal(err)
	}
	h.wantUnrecognized("the earlier certificate", old)
	again, err := h.RecognizeDevice(h.ctx, parse(t, grant.DeviceCertificate))
	if err != nil || again != device {
		t.Errorf("it is now %+v, %v", again, err)
	}
	entry := h.entry(device.DeviceID)
	if entry.State != cloud.StateBootstrapped || !entry.BootstrappedAt.After(before) || h.countDevices() != 1 {
		t.Errorf("its entry is %+v", entry)
	}
	if !slices.Contains(h.connections.disconnected, device.DeviceID) {
		t.Error("a session under the void certificate was left open")
	}
	err = h.UpdateRegistration(h.ctx, device, []string{"rd", device.AccountID, device.DeviceID}, cloud.RegistrationUpdate{})
	wantError(t, "the registration of before", err, cloud.ErrNotFound)
	wanted := []cloud.EventType{cloud.EventBootstrap, cloud.EventRegistration, cloud.EventBootstrap}
	if got := h.events(device.DeviceID); !slices.Equal(got, wanted) {
		t.Errorf("its events are %v", got)
	}
}

func TestAConnectedDeviceKeepsItsIdentity(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, own := h.device(certificate, "")
	h.connections.alive[device.DeviceID] = true
	for range 5 {
		_, err := h.Bootstrap(h.ctx, h.request(certificate, device.DeviceID))
		wantError(t, "the newcomer", err, cloud.ErrForbidden)
		h.wait(12 * time.Second)
	}
	if _, err := h.RecognizeDevice(h.ctx, own); err != nil {
		t.Errorf("the device lost its certificate: %v", err)
	}
	wanted := []cloud.EventType{cloud.EventBootstrap, cloud.EventBootstrapRefused}
	if got := h.events(device.DeviceID); !slices.Equal(got, wanted) {
		t.Errorf("five refusals in a minute made the events %v", got)
	}
	h.wait(time.Hour)
	_, err := h.Bootstrap(h.ctx, h.request(certificate, device.DeviceID))
	wantError(t, "the newcomer", err, cloud.ErrForbidden)
	if got := h.events(device.DeviceID); len(got) != 3 {
		t.Errorf("a refusal an hour later made the events %v", got)
	}
	h.connections.alive[device.DeviceID] = false
	h.device(certificate, device.DeviceID)
}

func TestNobodyTakesADeviceOfAnotherCertificate(t *testing.T) {
	h := newHouse(t)
	_, mine := h.certificate("mine")
	theirs, theirCertificate := h.certificate("theirs")
	device, own := h.device(theirCertificate, "")
	_, err := h.Bootstrap(h.ctx, h.request(mine, device.DeviceID))
	wantError(t, "the thief", err, cloud.ErrForbidden)
	if _, err := h.RecognizeDevice(h.ctx, own); err != nil {
		t.Errorf("the device lost its certificate: %v", err)
	}
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, theirs.ID); err != nil {
		t.Fatal(err)
	}
	moved, _ := h.device(mine, device.DeviceID) // provisioned anew, with a stale id
	if moved.DeviceID == device.DeviceID {
		t.Error("it took the id of the other certificate's device")
	}
}

func TestAnUnknownDeviceIDIsANewDevice(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	for _, id := range []string{"0123456789abcdef0123456789abcdef", "from another service", "\x00"} {
		device, _ := h.device(certificate, id)
		if device.DeviceID == id {
			t.Errorf("it chose its own id %q", id)
		}
	}
}

func TestASlotIsTakenWhenABootstrapFinishes(t *testing.T) {
	h := newHouseWith(t, cloud.Limits{DevicesPerCertificate: 2})
	_, certificate := h.certificate("a")
	var unfinished []*cloud.BootstrapGrant
	for range 5 { // a crash loop
		unfinished = append(unfinished, h.begin(certificate, ""))
	}
	first, _ := h.device(certificate, "")
	h.device(certificate, "")
	_, err := h.Bootstrap(h.ctx, h.request(certificate, ""))
	wantError(t, "the third device", err, cloud.ErrLimit)
	wantError(t, "one that began earlier", h.BootstrapFinished(h.ctx, unfinished[0]), cloud.ErrLimit)
	h.wantUnrecognized("one that began earlier", parse(t, unfinished[0].DeviceCertificate))
	h.device(certificate, first.DeviceID) // has its slot already
	if err := h.DeleteDevice(h.ctx, h.who, first.DeviceID); err != nil {
		t.Fatal(err)
	}
	h.device(certificate, "")
	if h.countDevices() != 2 {
		t.Errorf("there are %d devices", h.countDevices())
	}
	_, other := h.certificate("b")
	h.device(other, "")
}

func TestAnUnfinishedBootstrapLeavesNothing(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	aborted := h.begin(certificate, "")
	h.BootstrapAborted(h.ctx, aborted, "timeout")
	h.wantUnrecognized("what was never finished", parse(t, aborted.DeviceCertificate))
	if h.countDevices() != 0 {
		t.Errorf("there are %d devices", h.countDevices())
	}
}

func TestOfTwoBootstrapsOfOneDeviceTheFirstToFinishCounts(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	one, two := h.begin(certificate, device.DeviceID), h.begin(certificate, device.DeviceID)
	if err := h.BootstrapFinished(h.ctx, two); err != nil {
		t.Fatal(err)
	}
	wantError(t, "the other", h.BootstrapFinished(h.ctx, one), cloud.ErrNotFound)
	h.wantUnrecognized("the other's certificate", parse(t, one.DeviceCertificate))
	if _, err := h.RecognizeDevice(h.ctx, parse(t, two.DeviceCertificate)); err != nil {
		t.Errorf("the first: %v", err)
	}
}

func TestADeletedDeviceIsCutOff(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, own := h.device(certificate, "")
	location := h.register(device, time.Hour)
	pending := h.begin(certificate, device.DeviceID)
	if err := h.DeleteDevice(h.ctx, h.who, device.DeviceID); err != nil {
		t.Fatal(err)
	}
	h.wantUnrecognized("its certificate", own)
	if !slices.Contains(h.connections.disconnected, device.DeviceID) {
		t.Error("its session was left open")
	}
	wantError(t, "a bootstrap under way", h.BootstrapFinished(h.ctx, pending), cloud.ErrNotFound)
	_, err := h.Register(h.ctx, device, cloud.Registration{EndpointName: device.EndpointName})
	wantError(t, "registering on the old session", err, cloud.ErrForbidden)
	wantError(t, "updating", h.UpdateRegistration(h.ctx, device, location, cloud.RegistrationUpdate{}), cloud.ErrNotFound)
	again, _ := h.device(certificate, device.DeviceID)
	if again.DeviceID == device.DeviceID {
		t.Error("it came back under its deleted id")
	}
}

func TestTheDevicesOfADeletedCertificateAreCutOff(t *testing.T) {
	h := newHouse(t)
	developer, certificate := h.certificate("a")
	_, otherCertificate := h.certificate("b")
	device, own := h.device(certificate, "")
	other, otherOwn := h.device(otherCertificate, "")
	h.register(device, time.Hour)
	h.register(other, time.Hour)
	pending := h.begin(certificate, "")
	h.connections.disconnected = nil
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, developer.ID); err != nil {
		t.Fatal(err)
	}
	h.wantUnrecognized("the device's certificate", own)
	wantError(t, "the developer certificate", h.RecognizeBootstrap(h.ctx, certificate, nil, remoteAddr), cloud.ErrUnauthorized)
	wantError(t, "a bootstrap under way", h.BootstrapFinished(h.ctx, pending), cloud.ErrNotFound)
	if !slices.Equal(h.connections.disconnected, []string{device.DeviceID}) {
		t.Errorf("disconnected %v", h.connections.disconnected)
	}
	if state := h.entry(device.DeviceID).State; state != cloud.StateDeregistered {
		t.Errorf("its state is %s", state)
	}
	if _, err := h.RecognizeDevice(h.ctx, otherOwn); err != nil || h.entry(other.DeviceID).State != cloud.StateRegistered {
		t.Errorf("the other certificate's device suffered: %v", err)
	}
}

func TestAnExpiredDeviceCertificateIsRefused(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, own := h.device(certificate, "")
	h.wait(6 * 365 * 24 * time.Hour)
	h.wantUnrecognized("the expired certificate", own)
	h.device(certificate, device.DeviceID) // and gets a new one
}

func TestMadeUpDeviceIDsDoNotFillTheEvents(t *testing.T) {
	h := newHouseWith(t, cloud.Limits{DevicesPerCertificate: 1})
	_, certificate := h.certificate("a")
	h.device(certificate, "")
	for digit := range 10 {
		madeUp := strings.Repeat(strconv.Itoa(digit), 32)
		_, err := h.Bootstrap(h.ctx, h.request(certificate, madeUp))
		wantError(t, "a device too many", err, cloud.ErrLimit)
		if got := h.events(madeUp); len(got) != 0 {
			t.Errorf("a device that never was has the events %v", got)
		}
	}
	if got := h.events(""); len(got) != 1 {
		t.Errorf("ten refusals at once made the events %v", got)
	}
}

func TestOldEventsAreForgotten(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	old, _ := h.device(certificate, "")
	h.wait(89 * 24 * time.Hour)
	recent, _ := h.device(certificate, "")
	h.wait(2 * 24 * time.Hour)
	if err := h.ForgetOldEvents(h.ctx); err != nil {
		t.Fatal(err)
	}
	if got := h.events(old.DeviceID); len(got) != 0 {
		t.Errorf("after three months there are still %v", got)
	}
	if got := h.events(recent.DeviceID); len(got) == 0 {
		t.Error("events of two days ago are gone")
	}
}
