package cloud_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

func TestDevicesOfAnAuthorityBootstrap(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.BootstrapService)
	own := f.device("gateway-1")
	if err := h.RecognizeBootstrap(h.ctx, own, nil, remoteAddr); err != nil {
		t.Fatal(err)
	}
	identity, issued := h.device(own, "")
	if name := pki.DeviceNameOf(issued); name.EndpointName != "gateway-1" || name.DeviceID != identity.DeviceID || name.AccountID != h.who.AccountID {
		t.Errorf("issued to %+v", name)
	}
	entry := h.entry(identity.DeviceID)
	if entry.EndpointName != "gateway-1" || entry.ExecutionMode != cloud.FactoryMode || entry.CertificateID != uploaded.ID ||
		entry.IssuerFingerprint != uploaded.Fingerprint || !entry.BootstrapExpiresAt.Equal(own.NotAfter) {
		t.Errorf("the entry is %+v", entry)
	}
	// Factory reset: the same device, told by the name its authority gave it.
	again, _ := h.device(own, "")
	renewed, _ := h.device(f.device("gateway-1"), "")
	other, _ := h.device(f.device("gateway-2"), "")
	if again != identity || renewed != identity || other.DeviceID == identity.DeviceID || h.countDevices() != 2 {
		t.Errorf("%v came back as %v and %v, beside %v", identity, again, renewed, other)
	}
	h.wantUnrecognized("the first LwM2M certificate", issued)
}

func TestAnAuthorityHasMoreThanAHundredDevices(t *testing.T) {
	h := newHouseWith(t, cloud.Limits{DevicesPerCertificate: 2})
	f := newFactory(t, "Factory")
	h.upload(f, cloud.BootstrapService)
	for i := range 5 {
		h.device(f.device(fmt.Sprint("device-", i)), "")
	}
	if h.countDevices() != 5 {
		t.Errorf("there are %d", h.countDevices())
	}
}

func TestChainsLeadToAnAuthority(t *testing.T) {
	h := newHouse(t)
	root := newFactory(t, "Root")
	h.upload(root, cloud.BootstrapService)
	line := root.under("Line")
	deep := line.under("Deep")
	others := []*x509.Certificate{deep.certificate, line.certificate}
	request := h.request(deep.device("one"), "")
	_, err := h.Bootstrap(h.ctx, request)
	wantError(t, "without the chain", err, cloud.ErrUnauthorized)
	request.Others = others
	if _, err := h.Bootstrap(h.ctx, request); err != nil {
		t.Errorf("with it: %v", err)
	}
	forged := newFactory(t, "Line").device("one")
	wantError(t, "a forged chain", h.RecognizeBootstrap(h.ctx, forged, others, remoteAddr), cloud.ErrUnauthorized)
	endless := slices.Repeat(others, 5)
	wantError(t, "an endless chain", h.RecognizeBootstrap(h.ctx, deep.device("two"), endless, remoteAddr), cloud.ErrUnauthorized)
}

func TestWhoMayNotBootstrapByAnAuthority(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	h.upload(f, cloud.BootstrapService)
	deviceKey := testKey(t)
	device := f.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "one"}}, deviceKey)
	server := &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	past := &x509.Certificate{Subject: pkix.Name{CommonName: "past"}, NotBefore: h.now().AddDate(-2, 0, 0), NotAfter: h.now().AddDate(-1, 0, 0)}
	for name, stranger := range map[string]*x509.Certificate{
		"the authority itself":                  f.certificate,
		"a device of another of the same name":  newFactory(t, "Factory").device("one"),
		"a server":                              f.sign(server, testKey(t)),
		"an expired certificate":                f.sign(past, testKey(t)),
		"a device without a name":               f.device(""),
		"a device of a device":                  (&factory{t, device, deviceKey}).device("two"),
		"a name with control characters":        f.device("a\x1b[2J"),
		"a device of an authority not uploaded": newFactory(t, "Stranger").device("one"),
	} {
		wantError(t, name, h.RecognizeBootstrap(h.ctx, stranger, nil, remoteAddr), cloud.ErrUnauthorized)
	}
	h.wait(4 * 365 * 24 * time.Hour)
	wantError(t, "after it expired", h.RecognizeBootstrap(h.ctx, f.device("late"), nil, remoteAddr), cloud.ErrUnauthorized)
}

func TestADeveloperCertificateIsNoAuthority(t *testing.T) {
	h := newHouse(t)
	developer, certificate := h.certificate("mine")
	key, err := pki.ParsePrivateKey(pemBytes(t, developer.PrivateKey.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	forged := (&factory{t, certificate, key}).device("one")
	wantError(t, "what it signed", h.RecognizeBootstrap(h.ctx, forged, []*x509.Certificate{certificate}, remoteAddr), cloud.ErrUnauthorized)
}

func TestAnInactiveAuthorityBlocksBootstrapsAndNothingElse(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.BootstrapService)
	own := f.device("gateway-1")
	_, issued := h.device(own, "")
	halfWay := h.begin(f.device("gateway-2"), "")
	if _, err := h.UpdateTrustedCertificate(h.ctx, h.who, uploaded.ID, cloud.CertificateChanges{Active: new(false)}); err != nil {
		t.Fatal(err)
	}
	wantError(t, "a bootstrap", h.RecognizeBootstrap(h.ctx, own, nil, remoteAddr), cloud.ErrUnauthorized)
	wantError(t, "one half way", h.BootstrapFinished(h.ctx, halfWay), cloud.ErrNotFound)
	if _, err := h.RecognizeDevice(h.ctx, issued); err != nil {
		t.Errorf("a device that has bootstrapped is refused: %v", err)
	}
	if _, err := h.UpdateTrustedCertificate(h.ctx, h.who, uploaded.ID, cloud.CertificateChanges{Active: new(true)}); err != nil {
		t.Fatal(err)
	}
	if err := h.RecognizeBootstrap(h.ctx, own, nil, remoteAddr); err != nil {
		t.Errorf("active again: %v", err)
	}
}

func TestTheDevicesOfADeletedAuthorityAreCutOff(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	uploaded := h.upload(f, cloud.BootstrapService)
	identity, issued := h.device(f.device("gateway-1"), "")
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, uploaded.ID); err != nil {
		t.Fatal(err)
	}
	h.wantUnrecognized("its LwM2M certificate", issued)
	if !slices.Contains(h.connections.disconnected, identity.DeviceID) {
		t.Error("its session lives on")
	}
}

func TestAnUploadedCertificateOfOneDeviceIsForThatDevice(t *testing.T) {
	h := newHouse(t)
	own := (&factory{t: t, key: testKey(t)})
	certificate := own.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "alone"}}, own.key)
	if _, err := h.UploadCertificate(h.ctx, h.who, uploadOf(pki.CertificatePEM(certificate.Raw))); err != nil {
		t.Fatal(err)
	}
	identity, _ := h.device(certificate, "")
	again, _ := h.device(certificate, "")
	if identity != again || identity.EndpointName != "alone" {
		t.Errorf("came as %v and %v", identity, again)
	}
}

func TestACertificateSeenBeforeCountsAsItIsNow(t *testing.T) {
	h := newHouse(t)
	own := (&factory{t: t, key: testKey(t)})
	certificate := own.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "alone"}}, own.key)
	upload := uploadOf(pki.CertificatePEM(certificate.Raw))
	first, err := h.UploadCertificate(h.ctx, h.who, upload)
	if err != nil {
		t.Fatal(err)
	}
	h.device(certificate, "")
	if _, err := h.UpdateTrustedCertificate(h.ctx, h.who, first.ID, cloud.CertificateChanges{Active: new(false)}); err != nil {
		t.Fatal(err)
	}
	wantError(t, "inactive", h.RecognizeBootstrap(h.ctx, certificate, nil, remoteAddr), cloud.ErrUnauthorized)
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, first.ID); err != nil {
		t.Fatal(err)
	}
	wantError(t, "deleted", h.RecognizeBootstrap(h.ctx, certificate, nil, remoteAddr), cloud.ErrUnauthorized)
	second, err := h.UploadCertificate(h.ctx, h.who, upload)
	if err != nil {
		t.Fatal(err)
	}
	identity, _ := h.device(certificate, "")
	if entry := h.entry(identity.DeviceID); entry.CertificateID != second.ID {
		t.Errorf("the device came by %s, not by %s", entry.CertificateID, second.ID)
	}
}

func TestAConnectedDeviceOfAnAuthorityKeepsItsIdentity(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	h.upload(f, cloud.BootstrapService)
	identity, _ := h.device(f.device("gateway-1"), "")
	h.connections.alive[identity.DeviceID] = true
	_, err := h.Bootstrap(h.ctx, h.request(f.device("gateway-1"), ""))
	wantError(t, "a second one", err, cloud.ErrForbidden)
}
