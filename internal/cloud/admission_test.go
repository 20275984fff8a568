package cloud_test

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func TestADeviceWithItsOwnLwM2MCertificateRegisters(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.LwM2MService)
	own := f.device("gateway-1")
	wantError(t, "a bootstrap", h.RecognizeBootstrap(h.ctx, own, nil, remoteAddr), cloud.ErrUnauthorized)
	h.wantUnrecognized("before its handshake", own)
	for range 2 {
		if err := h.AdmitDevice(h.ctx, own, nil, remoteAddr); err != nil {
			t.Fatal(err)
		}
	}
	identity, err := h.RecognizeDevice(h.ctx, own)
	if err != nil {
		t.Fatal(err)
	}
	h.register(identity, time.Hour)
	entry := h.entry(identity.DeviceID)
	if entry.EndpointName != "gateway-1" || entry.State != cloud.StateRegistered || entry.CertificateID != uploaded.ID ||
		!entry.ConnectorExpiresAt.Equal(own.NotAfter) || entry.ExecutionMode != cloud.FactoryMode || h.countDevices() != 1 {
		t.Errorf("the entry is %+v of %d", entry, h.countDevices())
	}

	renewed := f.device("gateway-1")
	if err := h.AdmitDevice(h.ctx, renewed, nil, remoteAddr); err != nil {
		t.Fatal(err)
	}
	if same, err := h.RecognizeDevice(h.ctx, renewed); same != identity || err != nil {
		t.Errorf("with a renewed certificate it is %v, %v", same, err)
	}
	h.wantUnrecognized("its first certificate", own)
	wantError(t, "its first certificate", h.AdmitDevice(h.ctx, own, nil, remoteAddr), cloud.ErrUnauthorized)
}

func TestAnLwM2MAuthorityThatIsNotActiveLetsNobodyIn(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.LwM2MService)
	own := f.device("gateway-1")
	if err := h.AdmitDevice(h.ctx, own, nil, remoteAddr); err != nil {
		t.Fatal(err)
	}
	if _, err := h.UpdateTrustedCertificate(h.ctx, h.who, uploaded.ID, cloud.CertificateChanges{Active: new(false)}); err != nil {
		t.Fatal(err)
	}
	h.wantUnrecognized("a device of it", own)
	wantError(t, "a new device", h.AdmitDevice(h.ctx, f.device("gateway-2"), nil, remoteAddr), cloud.ErrUnauthorized)
	wantError(t, "a stranger", h.AdmitDevice(h.ctx, newFactory(t, "Factory").device("x"), nil, remoteAddr), cloud.ErrUnauthorized)
}

func TestAConnectedDeviceKeepsItsIdentityAgainstANewCertificate(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	h.upload(f, cloud.LwM2MService)
	own := f.device("gateway-1")
	if err := h.AdmitDevice(h.ctx, own, nil, remoteAddr); err != nil {
		t.Fatal(err)
	}
	identity, err := h.RecognizeDevice(h.ctx, own)
	if err != nil {
		t.Fatal(err)
	}
	h.connections.alive[identity.DeviceID] = true
	wantError(t, "another of its name", h.AdmitDevice(h.ctx, f.device("gateway-1"), nil, remoteAddr), cloud.ErrUnauthorized)
}

// admit takes in a device with a certificate of an LwM2M authority.
func (h *house) admit(f *factory, endpointName string) (cloud.Identity, *x509.Certificate) {
	h.t.Helper()
	own := f.device(endpointName)
	return h.admitWith(own), own
}

func (h *house) admitWith(own *x509.Certificate) cloud.Identity {
	h.t.Helper()
	if err := h.AdmitDevice(h.ctx, own, nil, remoteAddr); err != nil {
		h.t.Fatal(err)
	}
	identity, err := h.RecognizeDevice(h.ctx, own)
	if err != nil {
		h.t.Fatal(err)
	}
	return identity
}

func TestADeletedEntryLockedItsLwM2MDeviceOutForGood(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	h.upload(f, cloud.LwM2MService)
	device, _ := h.admit(f, "gateway-1")
	if entry := h.entry(device.DeviceID); !entry.BootstrappedAt.Equal(entry.CreatedAt) {
		t.Errorf("it got its identity at %v, came at %v", entry.BootstrappedAt, entry.CreatedAt)
	}
	wantError(t, "deleting the entry", h.DeleteDevice(h.ctx, h.who, device.DeviceID), cloud.ErrInvalid)
	h.register(device, time.Hour)
}

func TestAnLwM2MDeviceEscapedItsInactiveAuthority(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.LwM2MService)
	device, own := h.admit(f, "gateway-1")
	_, err := h.UpdateDevice(h.ctx, h.who, device.DeviceID, cloud.DeviceChanges{CertificateID: new("")})
	wantError(t, "taking its authority away", err, cloud.ErrInvalid)
	h.setActive(uploaded.ID, false)
	h.wantUnrecognized("its certificate", own)
}

func TestAnAuthorityUploadedAgainLockedItsFleetOut(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.LwM2MService)
	device, own := h.admit(f, "gateway-1")
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, uploaded.ID); err != nil {
		t.Fatal(err)
	}
	wantError(t, "without its authority", h.AdmitDevice(h.ctx, own, nil, remoteAddr), cloud.ErrUnauthorized)
	again := h.upload(f, cloud.LwM2MService)
	back := h.admitWith(own)
	h.register(back, time.Hour)
	if entry := h.entry(back.DeviceID); back != device || h.countDevices() != 1 || entry.CertificateID != again.ID {
		t.Errorf("%v came back as %v under %s, one of %d", device, back, entry.CertificateID, h.countDevices())
	}
}

func TestDevicesOfAnAuthorityUploadedAgainAreTheSame(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.BootstrapService)
	own, quiet := f.device("gateway-1"), f.device("gateway-2")
	device, _ := h.device(own, "")
	suspended, _ := h.device(quiet, "")
	h.suspend(suspended.DeviceID)
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, uploaded.ID); err != nil {
		t.Fatal(err)
	}
	again := h.upload(f, cloud.BootstrapService)
	for _, says := range []string{"", device.DeviceID} {
		if back, _ := h.device(own, says); back != device {
			t.Errorf("%v came back as %v", device, back)
		}
	}
	_, err := h.Bootstrap(h.ctx, h.request(quiet, ""))
	wantError(t, "a suspended device", err, cloud.ErrForbidden)
	if entry := h.entry(device.DeviceID); entry.CertificateID != again.ID || h.countDevices() != 2 {
		t.Errorf("it stands under %s, one of %d", entry.CertificateID, h.countDevices())
	}

	if err := h.DeleteTrustedCertificate(h.ctx, h.who, again.ID); err != nil {
		t.Fatal(err)
	}
	namesake := newFactory(t, "Factory")
	h.upload(namesake, cloud.BootstrapService)
	if other, _ := h.device(namesake.device("gateway-1"), ""); other == device {
		t.Error("a device of another authority of that name took it over")
	}
}

// unreadableCertificates is a store with trouble of its own.
type unreadableCertificates struct{ cloud.Store }

func (unreadableCertificates) DeviceCertificate(context.Context, string) (*cloud.DeviceCertificate, error) {
	return nil, errBroken
}

func TestTroubleOfTheStoreWasTakenForARefusal(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	h.upload(f, cloud.LwM2MService)
	h.memory.Store = unreadableCertificates{h.memory.Store}
	err := h.AdmitDevice(h.ctx, f.device("gateway-1"), nil, remoteAddr)
	if !errors.Is(err, errBroken) || errors.Is(err, cloud.ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
}
