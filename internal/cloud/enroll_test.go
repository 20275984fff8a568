package cloud_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

// enrolling begins the bootstrap of a client that can enroll.
func (h *house) enrolling(certificate *x509.Certificate, deviceID string) *cloud.BootstrapGrant {
	h.t.Helper()
	request := h.request(certificate, deviceID)
	request.Enrolls = true
	grant, err := h.Bootstrap(h.ctx, request)
	if err != nil {
		h.t.Fatal(err)
	}
	return grant
}

func (h *house) setIssuer(id string) {
	h.t.Helper()
	if _, err := h.SetIssuer(h.ctx, h.who, id); err != nil {
		h.t.Fatal(err)
	}
}

func requestOf(t *testing.T, key *ecdsa.PrivateKey, name pki.DeviceName) []byte {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{
		CommonName: name.EndpointName, OrganizationalUnit: []string{name.AccountID}, Locality: []string{name.DeviceID},
	}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func namesOf(grant *cloud.BootstrapGrant) pki.DeviceName {
	return pki.DeviceName{AccountID: grant.AccountID, EndpointName: grant.EndpointName, DeviceID: grant.DeviceID}
}

func TestADeviceEnrollsOnRequest(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	if grant := h.enrolling(certificate, ""); grant.Enrollment || grant.PrivateKey == nil {
		t.Error("it is the way although nobody asked for it")
	}
	h.setIssuer(h.CertificateIssuer().ID)
	if grant := h.begin(certificate, ""); grant.Enrollment {
		t.Error("a client is to enroll that cannot")
	}
	grant := h.enrolling(certificate, "")
	if !grant.Enrollment || grant.PrivateKey != nil || grant.DeviceCertificate != nil || grant.ServerCA == nil {
		t.Fatalf("granted %+v", grant)
	}
	key := testKey(t)
	der, err := h.Enroll(h.ctx, grant, requestOf(t, key, namesOf(grant)))
	if err != nil {
		t.Fatal(err)
	}
	issued := parse(t, der)
	identity, err := h.RecognizeDevice(h.ctx, issued)
	if err != nil || identity.DeviceID != grant.DeviceID || !pki.KeyMatches(issued, key) || len(der) > pki.MaxDeviceCertificate {
		t.Errorf("enrolled as %+v, %v", identity, err)
	}
	const block, list = 512, 4 // bytes of a CoAP block, and of what surrounds the certificate in it
	if len(der) > block-list {
		t.Errorf("a certificate of %d bytes goes out in blocks", len(der))
	}
	if again := h.enrolling(certificate, grant.DeviceID); again.DeviceID != grant.DeviceID {
		t.Errorf("it comes back as %s", again.DeviceID)
	}
	h.setIssuer("")
	if grant := h.enrolling(certificate, grant.DeviceID); grant.Enrollment {
		t.Error("it is the way although nobody wants it any more")
	}
}

func TestOnlyTheGrantedNamesAreCertified(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	h.setIssuer(h.CertificateIssuer().ID)
	grant := h.enrolling(certificate, "")
	key := testKey(t)
	otherDevice, otherName, otherAccount := namesOf(grant), namesOf(grant), namesOf(grant)
	otherDevice.DeviceID, otherName.EndpointName, otherAccount.AccountID = "x", "x", "x"
	forged := requestOf(t, key, namesOf(grant))
	forged[len(forged)-1] ^= 1
	for what, request := range map[string][]byte{
		"another device": requestOf(t, key, otherDevice), "another endpoint": requestOf(t, key, otherName),
		"another account": requestOf(t, key, otherAccount), "a broken signature": forged, "nothing": nil, "rubbish": []byte("x"),
	} {
		_, err := h.Enroll(h.ctx, grant, request)
		wantError(t, what, err, cloud.ErrInvalid)
	}
	if h.countDevices() != 0 {
		t.Error("a device came of it")
	}
	if _, err := h.Enroll(h.ctx, grant, requestOf(t, key, namesOf(grant))); err != nil {
		t.Error(err)
	}
}

func TestTheIssuerIsConfigured(t *testing.T) {
	h := newHouse(t)
	before, err := h.IssuerConfiguration(h.ctx, h.who)
	if err != nil || before.IssuerID != "" || before.Version != 1 || before.CreatedAt.IsZero() {
		t.Errorf("before it is %+v, %v", before, err)
	}
	_, err = h.SetIssuer(h.ctx, h.who, "somebody")
	var refusal *cloud.Refusal
	if !errors.As(err, &refusal) || refusal.Fields[0].Name != "certificate_issuer_id" {
		t.Errorf("an unknown issuer: %v", err)
	}
	h.setIssuer(h.CertificateIssuer().ID)
	after, err := h.IssuerConfiguration(h.ctx, h.who)
	if err != nil || after.IssuerID != h.CertificateIssuer().ID || after.Version != 2 || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("after it is %+v, %v", after, err)
	}
}
