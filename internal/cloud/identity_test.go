package cloud_test

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

// identity has a certificate signed for one device.
func (h *house) identity(developer *cloud.DeveloperCertificate, endpointName string) (*cloud.TrustedCertificate, *x509.Certificate) {
	h.t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		h.t.Fatal(err)
	}
	request, err := pki.NewRequest(key)
	if err != nil {
		h.t.Fatal(err)
	}
	made, err := h.CreateIdentity(h.ctx, h.who, cloud.IdentityRequest{
		DeveloperCertificateID: developer.ID, CertificateRequest: request, EndpointName: endpointName,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	certificate := parse(h.t, made.Certificate)
	if !pki.KeyMatches(certificate, key) {
		h.t.Error("the certificate is for another key")
	}
	return made, certificate
}

func TestOneDeviceIsRevokedAndTheOthersStay(t *testing.T) {
	h := newHouse(t)
	developer, shared := h.certificate("a")
	first, firstOwn := h.identity(developer, "")
	second, secondOwn := h.identity(developer, "")
	if first.EndpointName == second.EndpointName || first.EndpointName == developer.EndpointName {
		t.Error("two have one endpoint name")
	}
	wanted := pki.DeviceName{AccountID: h.who.AccountID, EndpointName: first.EndpointName}
	if name := pki.DeviceNameOf(firstOwn); name != wanted {
		t.Errorf("the certificate speaks for %+v", name)
	}
	one, oneIssued := h.device(firstOwn, "")
	_, twoIssued := h.device(secondOwn, "")
	_, sharedIssued := h.device(shared, "")
	h.register(one, time.Hour)
	if one.EndpointName != first.EndpointName || h.entry(one.DeviceID).CertificateID != first.ID {
		t.Errorf("the device is %+v", one)
	}
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, first.ID); err != nil {
		t.Fatal(err)
	}
	h.wantUnrecognized("the revoked device", oneIssued)
	wantError(t, "its bootstrap", h.RecognizeBootstrap(h.ctx, firstOwn, nil, remoteAddr), cloud.ErrUnauthorized)
	if !slices.Contains(h.connections.disconnected, one.DeviceID) || h.entry(one.DeviceID).State != cloud.StateDeregistered {
		t.Error("its session was left open")
	}
	for what, issued := range map[string]*x509.Certificate{"the other": twoIssued, "one with the shared certificate": sharedIssued} {
		if _, err := h.RecognizeDevice(h.ctx, issued); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, developer.ID); err != nil {
		t.Fatal(err)
	}
	h.wantUnrecognized("the other, without the developer certificate", twoIssued)
	wantError(t, "the other's bootstrap", h.RecognizeBootstrap(h.ctx, secondOwn, nil, remoteAddr), cloud.ErrUnauthorized)
}

func TestTheCertificateOfOneDeviceIsForOne(t *testing.T) {
	h := newHouse(t)
	developer, shared := h.certificate("a")
	made, own := h.identity(developer, "")
	late := h.begin(own, "") // a twin that is slower
	device, _ := h.device(own, "")
	wantError(t, "the twin", h.BootstrapFinished(h.ctx, late), cloud.ErrLimit)
	again, _ := h.device(own, "") // it has forgotten its id
	if again != device || h.countDevices() != 1 {
		t.Errorf("it became %+v", again)
	}
	_, err := h.Bootstrap(h.ctx, h.request(shared, device.DeviceID))
	wantError(t, "somebody with the shared certificate", err, cloud.ErrForbidden)
	lie := h.request(own, "")
	lie.EndpointName = developer.EndpointName
	_, err = h.Bootstrap(h.ctx, lie)
	wantError(t, "another's endpoint name", err, cloud.ErrInvalid)
	_, err = h.DeveloperCertificate(h.ctx, h.who, made.ID)
	wantError(t, "its private key", err, cloud.ErrNotFound)
}

func TestANewCertificateReplacesTheOldOnceItIsUsed(t *testing.T) {
	h := newHouse(t)
	developer, _ := h.certificate("a")
	old, oldOwn := h.identity(developer, "")
	device, oldIssued := h.device(oldOwn, "")
	_, lost := h.identity(developer, old.EndpointName)
	next, nextOwn := h.identity(developer, old.EndpointName)
	if next.EndpointName != old.EndpointName {
		t.Errorf("the name became %s", next.EndpointName)
	}
	if _, err := h.RecognizeDevice(h.ctx, oldIssued); err != nil {
		t.Errorf("the old one is void before the new one is used: %v", err)
	}
	again, issued := h.device(nextOwn, "")
	if again != device || h.entry(device.DeviceID).CertificateID != next.ID {
		t.Errorf("it became %+v", again)
	}
	h.wantUnrecognized("the old LwM2M certificate", oldIssued)
	for what, certificate := range map[string]*x509.Certificate{"the old one": oldOwn, "one that got lost": lost} {
		wantError(t, what, h.RecognizeBootstrap(h.ctx, certificate, nil, remoteAddr), cloud.ErrUnauthorized)
	}
	if _, err := h.RecognizeDevice(h.ctx, issued); err != nil {
		t.Error(err)
	}
	_, waiting := h.identity(developer, old.EndpointName)
	if err := h.DeleteTrustedCertificate(h.ctx, h.who, next.ID); err != nil {
		t.Fatal(err)
	}
	h.wantUnrecognized("the revoked device", issued)
	wantError(t, "its next certificate", h.RecognizeBootstrap(h.ctx, waiting, nil, remoteAddr), cloud.ErrUnauthorized)
}

func TestOnlyADeveloperCertificateOfTheAccountHasOthersUnderIt(t *testing.T) {
	h := newHouse(t)
	developer, _ := h.certificate("a")
	made, _ := h.identity(developer, "somebody else's name")
	if made.EndpointName == "somebody else's name" {
		t.Error("an endpoint name was chosen from outside")
	}
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.NewRequest(key)
	if err != nil {
		t.Fatal(err)
	}
	stranger := h.who
	stranger.AccountID = "0123456789abcdef0123456789abcdef"
	for _, test := range []struct {
		what    string
		who     cloud.Principal
		request cloud.IdentityRequest
		wanted  error
	}{
		{"no such certificate", h.who, cloud.IdentityRequest{DeveloperCertificateID: h.who.AccountID, CertificateRequest: request}, cloud.ErrNotFound},
		{"another account's", stranger, cloud.IdentityRequest{DeveloperCertificateID: developer.ID, CertificateRequest: request}, cloud.ErrNotFound},
		{"one device's", h.who, cloud.IdentityRequest{DeveloperCertificateID: made.ID, CertificateRequest: request}, cloud.ErrInvalid},
		{"no request", h.who, cloud.IdentityRequest{DeveloperCertificateID: developer.ID}, cloud.ErrInvalid},
	} {
		_, err := h.CreateIdentity(h.ctx, test.who, test.request)
		wantError(t, test.what, err, test.wanted)
	}
	page, err := h.Identities(h.ctx, h.who, cloud.Query{Limit: 10})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("there are %d, %v", len(page.Items), err)
	}
}
