package cloud_test

import (
	"crypto/x509"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

// identityOf is a device's enrollment identity, as openssl x509 -fingerprint
// writes it.
func identityOf(certificate *x509.Certificate) string {
	sum := pki.Fingerprint(certificate.Raw)
	text := strings.ToUpper(hex.EncodeToString(sum[:]))
	var pairs []string
	for i := 0; i < len(text); i += 2 {
		pairs = append(pairs, text[i:i+2])
	}
	return "A-" + strings.Join(pairs, ":")
}

// enrollingFactory makes an authority in enrollment mode.
func (h *house) enrollingFactory() (*factory, *cloud.TrustedCertificate) {
	h.t.Helper()
	f := newFactory(h.t, "Factory")
	uploaded, err := h.UploadCertificate(h.ctx, h.who, cloud.CertificateUpload{
		Name: "factory", Service: cloud.BootstrapService, Certificate: f.pem(), Active: true, EnrollmentMode: true,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return f, uploaded
}

func TestADeviceIsOfWhoClaimedItFirst(t *testing.T) {
	h := newHouse(t)
	f, uploaded := h.enrollingFactory()
	own := f.device("gateway-1")
	wantError(t, "before it is claimed", h.RecognizeBootstrap(h.ctx, own, nil, remoteAddr), cloud.ErrUnauthorized)
	if denied := h.denials(uploaded.ID); len(denied) != 1 || denied[0] != "gateway-1" {
		t.Errorf("denied %v", denied)
	}
	claim, err := h.ClaimDevice(h.ctx, h.who, identityOf(own))
	if err != nil || claim.DeviceID != "" || !claim.ClaimedAt.IsZero() {
		t.Fatalf("claimed %+v, %v", claim, err)
	}
	_, err = h.ClaimDevice(h.ctx, h.who, identityOf(own))
	wantError(t, "claimed twice", err, cloud.ErrConflict)
	device, _ := h.device(own, "")
	claim, err = h.Enrollment(h.ctx, h.who, claim.ID)
	if err != nil || claim.DeviceID != device.DeviceID || claim.ClaimedAt.IsZero() {
		t.Errorf("once it came the claim is %+v, %v", claim, err)
	}
	wantError(t, "another device", h.RecognizeBootstrap(h.ctx, f.device("gateway-2"), nil, remoteAddr), cloud.ErrUnauthorized)

	halfWay := h.begin(own, "")
	if err := h.DeleteEnrollment(h.ctx, h.who, claim.ID); err != nil {
		t.Fatal(err)
	}
	wantError(t, "half way when it is given up", h.BootstrapFinished(h.ctx, halfWay), cloud.ErrNotFound)
	wantError(t, "given up", h.RecognizeBootstrap(h.ctx, own, nil, remoteAddr), cloud.ErrUnauthorized)
}

func TestAClaimEnds(t *testing.T) {
	h := newHouse(t)
	f, _ := h.enrollingFactory()
	own := f.device("gateway-1")
	if _, err := h.ClaimDevice(h.ctx, h.who, identityOf(own)); err != nil {
		t.Fatal(err)
	}
	h.wait(366 * 24 * time.Hour)
	wantError(t, "its device", h.RecognizeBootstrap(h.ctx, own, nil, remoteAddr), cloud.ErrUnauthorized)
	if _, err := h.ClaimDevice(h.ctx, h.who, identityOf(own)); err != nil {
		t.Errorf("it cannot be claimed again: %v", err)
	}
}

func TestClaimsThatAreRefused(t *testing.T) {
	h := newHouse(t)
	good := identityOf(newFactory(t, "x").certificate)
	for _, identity := range []string{"", "A-", good[2:], good + ":00", strings.ReplaceAll(good, ":", ""), strings.Replace(good, ":", "x", 1)} {
		_, err := h.ClaimDevice(h.ctx, h.who, identity)
		wantError(t, identity, err, cloud.ErrInvalid)
	}
	claim, err := h.ClaimDevice(h.ctx, h.who, good)
	if err != nil {
		t.Fatal(err)
	}
	stranger := cloud.Principal{AccountID: "other"}
	_, err = h.Enrollment(h.ctx, stranger, claim.ID)
	wantError(t, "another's", err, cloud.ErrNotFound)
	wantError(t, "giving up another's", h.DeleteEnrollment(h.ctx, stranger, claim.ID), cloud.ErrNotFound)
}
