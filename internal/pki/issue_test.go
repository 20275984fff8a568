package pki_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"mbl/internal/pki"
)

const (
	accountID    = "015843e32ec902420a015e0700000000"
	endpointName = "0161dbbcdd660a580a010c3403c00000"
	deviceID     = "0161dbbcdd660a580a010c3403c00001"
)

var now = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)

func parse(t *testing.T, der []byte, err error) *x509.Certificate {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pki.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	authority, err := pki.NewAuthority("Test CA")
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func TestDeveloperCertificateIsShapedLikeTheOriginals(t *testing.T) {
	key := newKey(t)
	der, err := pki.SelfSignDeveloper(key, accountID, endpointName, now)
	cert := parse(t, der, err)
	if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		t.Error("issuer and subject differ")
	}
	if got, want := cert.Subject.String(), "CN="+endpointName+",OU="+accountID+",O=mbl"; got != want {
		t.Errorf("subject %s, want %s", got, want)
	}
	if !cert.NotBefore.Equal(now) || !cert.NotAfter.Equal(now.AddDate(10, 0, 0)) {
		t.Errorf("valid from %v to %v", cert.NotBefore, cert.NotAfter)
	}
	if !cert.IsCA || !cert.MaxPathLenZero || len(cert.Extensions) != 2 {
		t.Errorf("CA %v, path length zero %v, %d extensions", cert.IsCA, cert.MaxPathLenZero, len(cert.Extensions))
	}
	mark, constraints := cert.Extensions[0], cert.Extensions[1]
	if !mark.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 4128, 201}) || mark.Critical ||
		!bytes.Equal(mark.Value, []byte{2, 3, 0x40, 0, 0x91}) {
		t.Errorf("mark %+v", mark)
	}
	if !constraints.Critical || !bytes.Equal(constraints.Value, []byte{0x30, 6, 1, 1, 0xff, 2, 1, 0}) {
		t.Errorf("constraints %+v", constraints)
	}
	if len(der) > pki.MaxDeviceCertificate || !pki.KeyMatches(cert, key) {
		t.Errorf("%d bytes, key matches: %v", len(der), pki.KeyMatches(cert, key))
	}
}

func TestUpdateCertificateIsForSigningCode(t *testing.T) {
	key := newKey(t)
	der, err := pki.SelfSignUpdateAuthority(key, strings.Repeat("x", 64), now, 20*365*24*time.Hour)
	cert := parse(t, der, err)
	if len(der) > 600 {
		t.Errorf("%d bytes", len(der))
	}
	if cert.KeyUsage != x509.KeyUsageDigitalSignature || cert.IsCA ||
		len(cert.ExtKeyUsage) != 1 || cert.ExtKeyUsage[0] != x509.ExtKeyUsageCodeSigning {
		t.Errorf("key usage %v, extended %v, CA %v", cert.KeyUsage, cert.ExtKeyUsage, cert.IsCA)
	}
	if !bytes.Equal(cert.SubjectKeyId, pki.SubjectKeyID(&key.PublicKey)) {
		t.Errorf("subject key id %x", cert.SubjectKeyId)
	}
	if !cert.NotAfter.Equal(now.Add(20 * 365 * 24 * time.Hour)) {
		t.Errorf("valid to %v", cert.NotAfter)
	}
}

func TestAuthorityIsValidForEveryClock(t *testing.T) {
	authority := newAuthority(t)
	cert := parse(t, authority.Certificate.Raw, nil)
	if !cert.NotBefore.Equal(time.Unix(0, 0)) || !cert.NotAfter.Equal(pki.DistantFuture) {
		t.Errorf("valid from %v to %v", cert.NotBefore, cert.NotAfter)
	}
	// RFC 5280 §4.1.2.5: years to 2049 as UTCTime, later ones as GeneralizedTime.
	if !bytes.Contains(cert.Raw, []byte("\x17\x0d700101000000Z\x18\x0f99991231235959Z")) {
		t.Error("the validity is not encoded as RFC 5280 wants it")
	}
	if !cert.IsCA || !cert.MaxPathLenZero || cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		t.Errorf("CA %v, key usage %v", cert.IsCA, cert.KeyUsage)
	}
	if len(cert.Raw) > pki.MaxDeviceCertificate {
		t.Errorf("%d bytes", len(cert.Raw))
	}
}

func TestDeviceCertificateCarriesTheDevicesName(t *testing.T) {
	authority, key := newAuthority(t), newKey(t)
	name := pki.DeviceName{AccountID: accountID, EndpointName: endpointName, DeviceID: deviceID}
	der, err := authority.IssueDevice(name, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	cert := parse(t, der, err)
	if got := pki.DeviceNameOf(cert); got != name {
		t.Errorf("name %+v, want %+v", got, name)
	}
	if len(der) > 600 { // far below the limit, for names of the usual length
		t.Errorf("%d bytes", len(der))
	}
	if cert.IsCA || !bytes.Equal(cert.AuthorityKeyId, authority.Certificate.SubjectKeyId) {
		t.Errorf("CA %v, authority key id %x", cert.IsCA, cert.AuthorityKeyId)
	}
	for _, clock := range []time.Time{time.Unix(0, 0), now, time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)} {
		verify(t, authority, cert, clock, x509.ExtKeyUsageClientAuth)
	}
	if _, err := cert.Verify(options(authority, now, x509.ExtKeyUsageServerAuth)); err == nil {
		t.Error("a device's certificate passes for a server's")
	}
	if _, err := cert.Verify(options(newAuthority(t), now, x509.ExtKeyUsageClientAuth)); err == nil {
		t.Error("another authority of the same name passes for the issuer")
	}
}

func TestCertificatesWithTheLongestNamesFitADevice(t *testing.T) {
	long := strings.Repeat("ü", 32) // 64 bytes
	key := newKey(t)
	authority, err := pki.NewAuthority(long)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name  string
		limit int
		make  func() ([]byte, error)
	}{
		{"authority", 1024, func() ([]byte, error) { return authority.Certificate.Raw, nil }},
		{"device", 1024, func() ([]byte, error) {
			name := pki.DeviceName{AccountID: long, EndpointName: long, DeviceID: long}
			return authority.IssueDevice(name, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
		}},
		{"developer", 1024, func() ([]byte, error) { return pki.SelfSignDeveloper(key, long, long, now) }},
		{"update authority", 600, func() ([]byte, error) {
			return pki.SelfSignUpdateAuthority(key, long, now, time.Hour)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			der, err := c.make()
			cert := parse(t, der, err)
			if cert.Subject.CommonName != long || len(der) > c.limit {
				t.Errorf("%d bytes for %q", len(der), cert.Subject.CommonName)
			}
		})
	}
}

func TestServerCertificateNamesItsHosts(t *testing.T) {
	authority := newAuthority(t)
	hosts := []string{"cloud.example.com", "127.0.0.1", "::1", "fe80::2%eth0"}
	der, err := authority.IssueServer("bootstrap", hosts, &newKey(t).PublicKey, pki.DistantPast, pki.DistantFuture)
	cert := parse(t, der, err)
	for _, host := range []string{"cloud.example.com", "127.0.0.1", "::1", "fe80::2"} {
		if err := cert.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if cert.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("key usage %v", cert.KeyUsage)
	}
	verify(t, authority, cert, time.Unix(0, 0), x509.ExtKeyUsageServerAuth)
}

func options(authority *pki.Authority, clock time.Time, usage x509.ExtKeyUsage) x509.VerifyOptions {
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate)
	return x509.VerifyOptions{Roots: roots, CurrentTime: clock, KeyUsages: []x509.ExtKeyUsage{usage}}
}

func verify(t *testing.T, authority *pki.Authority, cert *x509.Certificate, clock time.Time, usage x509.ExtKeyUsage) {
	t.Helper()
	if _, err := cert.Verify(options(authority, clock, usage)); err != nil {
		t.Errorf("at %v: %v", clock, err)
	}
}

func TestNoCertificateForWhatADeviceCannotUse(t *testing.T) {
	authority, key := newAuthority(t), newKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name := pki.DeviceName{AccountID: accountID, EndpointName: endpointName, DeviceID: deviceID}
	device := func(change func(*pki.DeviceName)) func() ([]byte, error) {
		changed := name
		change(&changed)
		return func() ([]byte, error) {
			return authority.IssueDevice(changed, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
		}
	}
	cases := []struct {
		name  string
		issue func() ([]byte, error)
		says  string
	}{
		{"no device id", device(func(n *pki.DeviceName) { n.DeviceID = "" }), "device id is empty"},
		{"no account", device(func(n *pki.DeviceName) { n.AccountID = "" }), "account id is empty"},
		{"long endpoint name", device(func(n *pki.DeviceName) { n.EndpointName = strings.Repeat("x", 65) }), "endpoint name has 65 bytes"},
		{"binary endpoint name", device(func(n *pki.DeviceName) { n.EndpointName = "\xff" }), "not UTF-8"},
		{"P-384 device", func() ([]byte, error) {
			return authority.IssueDevice(name, &p384.PublicKey, pki.DistantPast, pki.DistantFuture)
		}, "P-384"},
		{"P-384 authority", func() ([]byte, error) {
			other := &pki.Authority{Certificate: authority.Certificate, Signer: p384}
			return other.IssueDevice(name, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
		}, "P-384"},
		{"backward validity", func() ([]byte, error) {
			return authority.IssueServer("x", nil, &key.PublicKey, now, now.Add(-time.Second))
		}, "before it begins"},
		{"endless validity", func() ([]byte, error) {
			return authority.IssueServer("x", nil, &key.PublicKey, now, pki.DistantFuture.Add(time.Second))
		}, "years 1970 to 9999"},
		{"no server key", func() ([]byte, error) {
			return authority.IssueServer("x", nil, nil, now, now)
		}, "no public key"},
		{"developer without a key", func() ([]byte, error) {
			return pki.SelfSignDeveloper(nil, accountID, endpointName, now)
		}, "no key"},
		{"developer without a name", func() ([]byte, error) {
			return pki.SelfSignDeveloper(key, accountID, "", now)
		}, "endpoint name is empty"},
		{"update authority without a key", func() ([]byte, error) {
			return pki.SelfSignUpdateAuthority(nil, "x", now, time.Hour)
		}, "no key"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			der, err := c.issue()
			if err == nil || der != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %d bytes, %v; want an error saying %q", len(der), err, c.says)
			}
		})
	}
}

func TestSerialNumbersArePositiveAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		serial, err := pki.NewSerial()
		if err != nil {
			t.Fatal(err)
		}
		if serial.Sign() <= 0 || serial.BitLen() > 129 || seen[serial.String()] {
			t.Fatalf("serial %v", serial)
		}
		seen[serial.String()] = true
	}
}
