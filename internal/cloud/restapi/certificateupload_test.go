package restapi_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

// authority makes a certificate authority and returns it as PEM text.
func authority(t *testing.T, name string) string {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return pki.CertificatePEM(selfSigned(t, name, key))
}

func selfSigned(t *testing.T, name string, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Acme"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestACertificateIsUploadedChangedAndDeleted(t *testing.T) {
	w := newWorld(t)
	text := authority(t, "Factory")
	made := w.must(201, w.ask("POST", "/v3/trusted-certificates", map[string]any{
		"name": "ours", "service": "bootstrap", "certificate": text, "description": nil, "enrollment_mode": true,
	}))
	for field, wanted := range map[string]any{
		"object": "trusted-cert", "name": "ours", "service": "bootstrap", "status": "ACTIVE", "enrollment_mode": true, "valid": true,
		"device_execution_mode": 0.0, "certificate": text, "etag": "1", "subject": "CN=Factory,O=Acme", "issuer": "CN=Factory,O=Acme",
	} {
		if made.at(field) != wanted {
			t.Errorf("%s is %v", field, made.at(field))
		}
	}
	path := "/v3/trusted-certificates/" + made.id()
	changed := w.must(200, w.ask("PUT", path, map[string]any{"name": "renamed", "status": "INACTIVE", "enrollment_mode": false}))
	if changed.at("name") != "renamed" || changed.at("status") != "INACTIVE" || changed.at("etag") != "2" || changed.at("enrollment_mode") != false {
		t.Errorf("changed %s", changed.text)
	}
	if again := w.must(200, w.ask("GET", path, nil)); again.text != changed.text {
		t.Errorf("read again it is %s", again.text)
	}
	checkFailure(t, w.ask("GET", "/v3/developer-certificates/"+made.id(), nil), 404, "404 Not Found")
	w.must(204, w.ask("DELETE", path, nil))
	checkFailure(t, w.ask("PUT", path, map[string]any{"name": "x"}), 404, "404 Not Found")
}

func TestUploadsAreRefusedWithTheFieldThatIsWrong(t *testing.T) {
	w := newWorld(t)
	text := authority(t, "Factory")
	for name, test := range map[string]struct {
		field string
		body  map[string]any
	}{
		"no name":        {"name", map[string]any{"service": "bootstrap", "certificate": text}},
		"no service":     {"service", map[string]any{"name": "a", "certificate": text}},
		"no certificate": {"certificate", map[string]any{"name": "a", "service": "bootstrap"}},
		"wrong status":   {"status", map[string]any{"name": "a", "service": "bootstrap", "certificate": text, "status": "ON"}},
		"wrong type":     {"enrollment_mode", map[string]any{"name": "a", "service": "bootstrap", "certificate": text, "enrollment_mode": "yes"}},
		"a broken one":   {"certificate", map[string]any{"name": "a", "service": "bootstrap", "certificate": text[:300]}},
	} {
		got := w.ask("POST", "/v3/trusted-certificates", test.body)
		checkFailure(t, got, 400, "400 Bad Request")
		if got.at("fields.0.name") != test.field {
			t.Errorf("%s: %s", name, got.text)
		}
	}
	body := map[string]any{"name": "a", "service": "bootstrap", "certificate": text}
	w.must(201, w.ask("POST", "/v3/trusted-certificates", body))
	checkFailure(t, w.ask("POST", "/v3/trusted-certificates", body), 409, "409 Conflict")
	body["name"] = "b"
	checkFailure(t, w.ask("POST", "/v3/trusted-certificates", body), 409, "409 Conflict")
	developer := w.newKey(cloud.Developers)
	checkFailure(t, w.askAs(developer, "POST", "/v3/trusted-certificates", body), 403, "403 Forbidden")
}

func TestADevelopersKeyExchangedOrDeletedAnUploadedCertificate(t *testing.T) {
	w := newWorld(t)
	text := authority(t, "Factory")
	made := w.must(201, w.ask("POST", "/v3/trusted-certificates", map[string]any{"name": "a", "service": "bootstrap", "certificate": text}))
	path := "/v3/trusted-certificates/" + made.id()
	developer := w.newKey(cloud.Developers)
	body := map[string]any{"name": "a", "service": "bootstrap", "certificate": authority(t, "Stranger")}
	checkFailure(t, w.askAs(developer, "PUT", path, body), 403, "403 Forbidden")
	checkFailure(t, w.askAs(developer, "DELETE", path, nil), 403, "403 Forbidden")
	if got := w.must(200, w.askAs(developer, "GET", path, nil)); got.at("certificate") != text {
		t.Errorf("it became %s", got.text)
	}
	own := w.must(201, w.askAs(developer, "POST", "/v3/developer-certificates", map[string]string{"name": "mine"}))
	w.must(200, w.askAs(developer, "PUT", "/v3/trusted-certificates/"+own.id(), map[string]string{"status": "INACTIVE"}))
	w.must(204, w.askAs(developer, "DELETE", "/v3/trusted-certificates/"+own.id(), nil))
}

func TestUploadsCountAgainstTheLimit(t *testing.T) {
	w := newWorldWith(t, cloud.Limits{CertificatesPerAccount: 1})
	w.createCertificate("a")
	got := w.ask("POST", "/v3/trusted-certificates", map[string]any{"name": "b", "service": "bootstrap", "certificate": authority(t, "b")})
	checkFailure(t, got, 403, "403 Forbidden")
}

func TestUploadedCertificatesAreFiltered(t *testing.T) {
	w := newWorld(t)
	w.createCertificate("developer")
	w.must(201, w.ask("POST", "/v3/trusted-certificates", map[string]any{
		"name": "boot", "service": "bootstrap", "certificate": authority(t, "Boot CA"), "enrollment_mode": true,
	}))
	w.must(201, w.ask("POST", "/v3/trusted-certificates", map[string]any{
		"name": "direct", "service": "lwm2m", "certificate": authority(t, "Direct CA"), "status": "INACTIVE",
	}))
	for query, wanted := range map[string]float64{
		"device_execution_mode__neq=1":                     2,
		"device_execution_mode__eq=0":                      2,
		"device_execution_mode__eq=1":                      1,
		"service__eq=lwm2m":                                1,
		"service__eq=LwM2M":                                1,
		"service__eq=bootstrap&status__eq=ACTIVE":          2,
		"status__eq=INACTIVE":                              1,
		"enrollment_mode__eq=true":                         1,
		"subject__like=boot%20ca":                          1,
		"issuer__like=O%3DACME":                            2,
		"expire__eq=400&device_execution_mode__neq=1":      2,
		"expire__eq=30&device_execution_mode__neq=1":       0,
		"name__eq=direct&device_execution_mode__neq=1":     1,
		"valid__eq=true&device_execution_mode__neq=1":      2,
		"filter=service__eq%3Dlwm2m%26status__eq%3DACTIVE": 0,
	} {
		if got := w.must(200, w.ask("GET", "/v3/trusted-certificates?"+query, nil)); got.at("total_count") != wanted {
			t.Errorf("%s chooses %v", query, got.at("total_count"))
		}
	}
}
