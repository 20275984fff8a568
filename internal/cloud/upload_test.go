package cloud_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

// factory is somebody's own certificate authority.
type factory struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newFactory(t *testing.T, name string) *factory {
	t.Helper()
	f := &factory{t: t, key: testKey(t)}
	f.certificate = f.sign(authorityTemplate(name), f.key)
	return f
}

func authorityTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
}

func testKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate for a key; the first one is the factory's own.
func (f *factory) sign(template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	f.t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		template.NotAfter = template.NotBefore.AddDate(3, 0, 0)
	}
	parent := f.certificate
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), f.key)
	if err != nil {
		f.t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		f.t.Fatal(err)
	}
	return parsed
}

// under makes an authority below.
func (f *factory) under(name string) *factory {
	f.t.Helper()
	key := testKey(f.t)
	return &factory{t: f.t, certificate: f.sign(authorityTemplate(name), key), key: key}
}

// device makes the certificate of a device.
func (f *factory) device(endpointName string) *x509.Certificate {
	f.t.Helper()
	return f.sign(&x509.Certificate{Subject: pkix.Name{CommonName: endpointName}}, testKey(f.t))
}

func (f *factory) pem() string { return pki.CertificatePEM(f.certificate.Raw) }

func (h *house) upload(f *factory, service string) *cloud.TrustedCertificate {
	h.t.Helper()
	uploaded, err := h.UploadCertificate(h.ctx, h.who, cloud.CertificateUpload{
		Name: f.certificate.Subject.CommonName, Service: service, Certificate: f.pem(), Active: true,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return uploaded
}

func TestAnUploadedCertificateIsWhatItSays(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	signed, err := f.key.Sign(rand.Reader, digest(h.who.AccountID), nil)
	if err != nil {
		t.Fatal(err)
	}
	uploaded, err := h.UploadCertificate(h.ctx, h.who, cloud.CertificateUpload{
		Name: "ours", Description: "the factory's", Service: cloud.BootstrapService, Certificate: f.pem(),
		Signature: base64.StdEncoding.EncodeToString(signed), EnrollmentMode: true, Active: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if uploaded.Subject != "CN=Factory" || uploaded.Issuer != "CN=Factory" || uploaded.ExecutionMode != cloud.FactoryMode ||
		!uploaded.IsAuthority() || uploaded.EndpointName != "" || !uploaded.NotAfter.Equal(f.certificate.NotAfter) {
		t.Errorf("uploaded %+v", uploaded)
	}
	read, err := h.TrustedCertificate(h.ctx, h.who, uploaded.ID)
	if err != nil || read.Name != "ours" || read.Description != "the factory's" || !read.EnrollmentMode || !read.Active {
		t.Errorf("read %+v, %v", read, err)
	}
	if len(h.memory.audit) == 0 || h.memory.audit[len(h.memory.audit)-1].ObjectID != uploaded.ID {
		t.Error("the upload is not in the audit records")
	}
}

func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func TestOfAChainTheLastIsTrusted(t *testing.T) {
	h := newHouse(t)
	root := newFactory(t, "Root")
	line := root.under("Line 1")
	uploaded, err := h.UploadCertificate(h.ctx, h.who, cloud.CertificateUpload{
		Name: "chain", Service: cloud.BootstrapService, Certificate: root.pem() + line.pem(), Active: true,
	})
	if err != nil || uploaded.Subject != "CN=Line 1" || uploaded.Issuer != "CN=Root" {
		t.Fatalf("uploaded %+v, %v", uploaded, err)
	}
	if err := h.RecognizeBootstrap(h.ctx, line.device("one"), nil, remoteAddr); err != nil {
		t.Errorf("a device of it: %v", err)
	}
	wantError(t, "a device of the root", h.RecognizeBootstrap(h.ctx, root.device("two"), nil, remoteAddr), cloud.ErrUnauthorized)
}

func TestCertificatesThatCannotBeUsedAreRefused(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	stranger := newFactory(t, "Stranger")
	expired := f.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "old"}, NotBefore: h.now().AddDate(-2, 0, 0), NotAfter: h.now().AddDate(-1, 0, 0),
	}, testKey(t))
	mute := authorityTemplate("may not sign")
	mute.KeyUsage = x509.KeyUsageDigitalSignature
	for name, test := range map[string]struct {
		field  string
		upload cloud.CertificateUpload
	}{
		"no name":         {"name", cloud.CertificateUpload{Service: cloud.BootstrapService, Certificate: f.pem()}},
		"no service":      {"service", cloud.CertificateUpload{Name: "a", Certificate: f.pem()}},
		"another service": {"service", cloud.CertificateUpload{Name: "a", Service: "https", Certificate: f.pem()}},
		"no certificate":  {"certificate", cloud.CertificateUpload{Name: "a", Service: cloud.BootstrapService}},
		"no PEM":          {"certificate", uploadOf("rubbish")},
		"a key":           {"certificate", uploadOf(privateKeyPEM(t, f.key))},
		"another curve":   {"certificate", uploadOf(otherCurve(t))},
		"expired":         {"certificate", uploadOf(pki.CertificatePEM(expired.Raw))},
		"no common name":  {"certificate", uploadOf(pki.CertificatePEM(f.device("").Raw))},
		"a long name":     {"certificate", uploadOf(pki.CertificatePEM(f.device(strings.Repeat("x", 65)).Raw))},
		"may not sign":    {"certificate", uploadOf(pki.CertificatePEM(f.sign(mute, testKey(t)).Raw))},
		"leaf before root": {
			"certificate", uploadOf(pki.CertificatePEM(f.device("one").Raw) + f.pem()),
		},
		"no chain":         {"certificate", uploadOf(stranger.pem() + pki.CertificatePEM(f.device("one").Raw))},
		"too many":         {"certificate", uploadOf(strings.Repeat(f.pem(), pki.MaxChain+1))},
		"false signature":  {"signature", withSignature(f.pem(), base64.StdEncoding.EncodeToString([]byte("no")))},
		"broken signature": {"signature", withSignature(f.pem(), "?")},
	} {
		_, err := h.UploadCertificate(h.ctx, h.who, test.upload)
		var refusal *cloud.Refusal
		if !errors.As(err, &refusal) || !errors.Is(err, cloud.ErrInvalid) || len(refusal.Fields) != 1 || refusal.Fields[0].Name != test.field {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func uploadOf(text string) cloud.CertificateUpload {
	return cloud.CertificateUpload{Name: "a", Service: cloud.BootstrapService, Certificate: text, Active: true}
}

func withSignature(text, signature string) cloud.CertificateUpload {
	upload := uploadOf(text)
	upload.Signature = signature
	return upload
}

func privateKeyPEM(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := pki.MarshalPKCS8(key)
	if err != nil {
		t.Fatal(err)
	}
	return pki.PrivateKeyPEM(der)
}

func otherCurve(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &factory{t: t, key: key}
	return pki.CertificatePEM(f.sign(authorityTemplate("big"), key).Raw)
}

func TestNamesAndSubjectsAreTakenOnce(t *testing.T) {
	h := newHouse(t)
	f := newFactory(t, "Factory")
	h.upload(f, cloud.BootstrapService)
	developer, _ := h.certificate("mine")
	for name, upload := range map[string]cloud.CertificateUpload{
		"the name":                     {Name: "Factory", Service: cloud.BootstrapService, Certificate: newFactory(t, "Other").pem()},
		"a developer's name":           {Name: "mine", Service: cloud.BootstrapService, Certificate: newFactory(t, "Other").pem()},
		"the subject":                  {Name: "b", Service: cloud.LwM2MService, Certificate: newFactory(t, "Factory").pem()},
		"the certificate":              {Name: "b", Service: cloud.BootstrapService, Certificate: f.pem()},
		"a developer certificate here": {Name: "b", Service: cloud.BootstrapService, Certificate: pki.CertificatePEM(developer.Certificate)},
	} {
		_, err := h.UploadCertificate(h.ctx, h.who, upload)
		wantError(t, name, err, cloud.ErrConflict)
	}
}

func TestTheLimitOfCertificatesHoldsForUploads(t *testing.T) {
	h := newHouseWith(t, cloud.Limits{CertificatesPerAccount: 1})
	h.upload(newFactory(t, "one"), cloud.BootstrapService)
	_, err := h.UploadCertificate(h.ctx, h.who, cloud.CertificateUpload{
		Name: "two", Service: cloud.BootstrapService, Certificate: newFactory(t, "two").pem(),
	})
	wantError(t, "the second", err, cloud.ErrLimit)
}

func TestACertificateIsChanged(t *testing.T) {
	h := newHouse(t)
	uploaded := h.upload(newFactory(t, "Factory"), cloud.BootstrapService)
	h.wait(time.Minute)
	renewed := newFactory(t, "Factory 2").pem()
	changed, err := h.UpdateTrustedCertificate(h.ctx, h.who, uploaded.ID, cloud.CertificateChanges{
		Name: new("new"), Description: new("d"), Service: new(cloud.LwM2MService), EnrollmentMode: new(true),
		Active: new(false), Certificate: &renewed,
	})
	if err != nil || changed.Name != "new" || changed.Description != "d" || changed.Service != cloud.LwM2MService || !changed.EnrollmentMode ||
		changed.Active || changed.Subject != "CN=Factory 2" || changed.Version != 2 || !changed.UpdatedAt.After(changed.CreatedAt) {
		t.Fatalf("changed %+v, %v", changed, err)
	}
	read, err := h.TrustedCertificate(h.ctx, h.who, uploaded.ID)
	if err != nil || read.Fingerprint != changed.Fingerprint || read.Version != 2 {
		t.Errorf("read %+v, %v", read, err)
	}
	for name, changes := range map[string]cloud.CertificateChanges{
		"no name": {Name: new(" ")}, "no service": {Service: new("x")}, "no certificate": {Certificate: new("x")},
	} {
		_, err := h.UpdateTrustedCertificate(h.ctx, h.who, uploaded.ID, changes)
		wantError(t, name, err, cloud.ErrInvalid)
	}
	h.certificate("mine")
	_, err = h.UpdateTrustedCertificate(h.ctx, h.who, uploaded.ID, cloud.CertificateChanges{Name: new("mine")})
	wantError(t, "a taken name", err, cloud.ErrConflict)
	_, err = h.UpdateTrustedCertificate(h.ctx, cloud.Principal{AccountID: "other"}, uploaded.ID, cloud.CertificateChanges{})
	wantError(t, "another account's", err, cloud.ErrNotFound)
}

func TestADeveloperCertificateStaysWhatItIs(t *testing.T) {
	h := newHouse(t)
	developer, certificate := h.certificate("mine")
	same := "\n" + pki.CertificatePEM(certificate.Raw)
	changed, err := h.UpdateTrustedCertificate(h.ctx, h.who, developer.ID, cloud.CertificateChanges{
		Name: new("renamed"), Service: new(cloud.BootstrapService), Certificate: &same, Active: new(false), EnrollmentMode: new(false),
	})
	if err != nil || changed.Name != "renamed" || changed.Active {
		t.Fatalf("changed %+v, %v", changed, err)
	}
	wantError(t, "its bootstrap", h.RecognizeBootstrap(h.ctx, certificate, nil, remoteAddr), cloud.ErrUnauthorized)
	for name, changes := range map[string]cloud.CertificateChanges{
		"service": {Service: new(cloud.LwM2MService)}, "enrollment mode": {EnrollmentMode: new(true)},
		"certificate": {Certificate: new(newFactory(t, "f").pem())},
	} {
		_, err := h.UpdateTrustedCertificate(h.ctx, h.who, developer.ID, changes)
		wantError(t, name, err, cloud.ErrInvalid)
	}
}

// developer is who holds the API key of a developer.
func (h *house) developer() cloud.Principal {
	h.t.Helper()
	key, err := h.IssueAPIKey(h.ctx, "developer", cloud.Developers)
	if err != nil {
		h.t.Fatal(err)
	}
	who, err := h.Authenticate(h.ctx, key)
	if err != nil {
		h.t.Fatal(err)
	}
	return who
}

func TestADevelopersKeyExchangedAnUploadedAuthority(t *testing.T) {
	h := newHouse(t)
	ours, theirs := newFactory(t, "Factory"), newFactory(t, "Stranger")
	uploaded := h.upload(ours, cloud.BootstrapService)
	who := h.developer()
	for name, changes := range map[string]cloud.CertificateChanges{
		"exchanging it":   {Certificate: new(theirs.pem())},
		"deactivating it": {Active: new(false)},
		"nothing":         {},
	} {
		_, err := h.UpdateTrustedCertificate(h.ctx, who, uploaded.ID, changes)
		wantError(t, name, err, cloud.ErrForbidden)
	}
	wantError(t, "deleting it", h.DeleteTrustedCertificate(h.ctx, who, uploaded.ID), cloud.ErrForbidden)
	wantError(t, "a stranger's device", h.RecognizeBootstrap(h.ctx, theirs.device("victim"), nil, remoteAddr), cloud.ErrUnauthorized)
	if err := h.RecognizeBootstrap(h.ctx, ours.device("one"), nil, remoteAddr); err != nil {
		t.Errorf("our own device: %v", err)
	}
}

func TestADeveloperManagesDeveloperCertificates(t *testing.T) {
	h := newHouse(t)
	who := h.developer()
	made, _ := h.certificate("mine")
	if _, err := h.UpdateTrustedCertificate(h.ctx, who, made.ID, cloud.CertificateChanges{Active: new(false)}); err != nil {
		t.Error(err)
	}
	if err := h.DeleteTrustedCertificate(h.ctx, who, made.ID); err != nil {
		t.Error(err)
	}
}
