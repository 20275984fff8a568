package cloud_test

import (
	"context"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// renewable is a registered device that can be asked to bootstrap, and its
// bootstrap certificate.
func (h *house) renewable() (cloud.Identity, *x509.Certificate) {
	h.t.Helper()
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	links := []cloud.Link{{Path: "/1/0/9"}}
	if _, err := h.Register(h.ctx, device, cloud.Registration{EndpointName: device.EndpointName, ClientVersion: "mbl-1", Links: links}); err != nil {
		h.t.Fatal(err)
	}
	return device, certificate
}

func (h *house) renew(id string) *cloud.CertificateEnrollment {
	h.t.Helper()
	enrollment, err := h.RenewCertificate(h.ctx, h.who, id, "lwm2m")
	if err != nil {
		h.t.Fatal(err)
	}
	return enrollment
}

func (h *house) wantRenewal(id string, status cloud.EnrollmentStatus, result cloud.EnrollmentResult) {
	h.t.Helper()
	got, err := h.CertificateEnrollment(h.ctx, h.who, id)
	if err != nil || got.Status != status || got.Result != result {
		h.t.Errorf("the renewal is %+v, %v", got, err)
	}
}

func TestADeviceRenewsItsCertificateOnRequest(t *testing.T) {
	h := newHouse(t)
	device, certificate := h.renewable()
	first := h.renew(device.DeviceID)
	if want := []string{device.DeviceID + "/1/0/9"}; !slices.Equal(h.connections.executed, want) {
		t.Errorf("asked for %q, want %q", h.connections.executed, want)
	}
	h.wantRenewal(first.ID, cloud.EnrollmentNew, "")
	_, err := h.RenewCertificate(h.ctx, h.who, device.DeviceID, "LWM2M")
	wantError(t, "a second request", err, cloud.ErrConflict)

	if again, _ := h.device(certificate, device.DeviceID); again != device {
		t.Fatalf("it came back as %v", again)
	}
	h.wantRenewal(first.ID, cloud.EnrollmentCompleted, cloud.EnrollmentSuccess)
}

func TestADeviceThatDoesNotBootstrapHasNotRenewed(t *testing.T) {
	h := newHouse(t)
	device, certificate := h.renewable()
	first := h.renew(device.DeviceID)
	h.wait(11 * time.Minute)
	if err := h.EndOldRenewals(h.ctx); err != nil {
		t.Fatal(err)
	}
	h.wantRenewal(first.ID, cloud.EnrollmentCompleted, cloud.EnrollmentFailure)
	second := h.renew(device.DeviceID)
	h.device(certificate, device.DeviceID)
	h.wantRenewal(first.ID, cloud.EnrollmentCompleted, cloud.EnrollmentFailure)
	h.wantRenewal(second.ID, cloud.EnrollmentCompleted, cloud.EnrollmentSuccess)

	h.wait(91 * 24 * time.Hour)
	if err := h.EndOldRenewals(h.ctx); err != nil {
		t.Fatal(err)
	}
	if page, err := h.CertificateEnrollments(h.ctx, h.who, cloud.Query{Limit: 10}); err != nil || page.Total != 0 {
		t.Errorf("kept are %d, %v", page.Total, err)
	}
}

func TestRenewalsThatAreRefusedLeaveNothing(t *testing.T) {
	h := newHouse(t)
	device, _ := h.renewable()
	_, other := h.certificate("b")
	silent, _ := h.device(other, "")
	original, _ := h.device(other, "")
	h.register(original, time.Hour)
	for what, test := range map[string]struct {
		who     cloud.Principal
		device  string
		name    string
		execute func() (bool, error)
		want    error
	}{
		"another's device":            {cloud.Principal{AccountID: "other"}, device.DeviceID, "LWM2M", nil, cloud.ErrNotFound},
		"a certificate of the user":   {h.who, device.DeviceID, "customer.dlms", nil, cloud.ErrInvalid},
		"an unregistered device":      {h.who, silent.DeviceID, "LWM2M", nil, cloud.ErrUnavailable},
		"an original client":          {h.who, original.DeviceID, "LWM2M", nil, cloud.ErrUnavailable},
		"a device that does not hear": {h.who, device.DeviceID, "LWM2M", func() (bool, error) { return false, context.DeadlineExceeded }, cloud.ErrUnavailable},
		"a device that refuses":       {h.who, device.DeviceID, "LWM2M", func() (bool, error) { return false, nil }, cloud.ErrUnavailable},
	} {
		h.connections.execute = test.execute
		_, err := h.RenewCertificate(h.ctx, test.who, test.device, test.name)
		wantError(t, what, err, test.want)
	}
	if page, err := h.CertificateEnrollments(h.ctx, h.who, cloud.Query{Limit: 10}); err != nil || page.Total != 0 {
		t.Errorf("%d are recorded, %v", page.Total, err)
	}
	stranger := cloud.Principal{AccountID: "other"}
	h.connections.execute = nil
	_, err := h.CertificateEnrollment(h.ctx, stranger, h.renew(device.DeviceID).ID)
	wantError(t, "another's renewal", err, cloud.ErrNotFound)
}
