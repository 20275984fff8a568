package restapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/credential"
	"mbl/internal/pki"
)

func TestADeveloperCertificateIsWholeAndReadAgain(t *testing.T) {
	w := newWorld(t)
	made := w.must(201, w.ask("POST", "/v3/developer-certificates", map[string]string{"name": "mine", "description": "for\ntests"}))
	if made.at("object") != "trusted-cert" || made.at("name") != "mine" || made.at("description") != "for\ntests" {
		t.Errorf("made %s", made.text)
	}
	source := fmt.Sprint(made.at("security_file_content"))
	developer, err := credential.ParseDeveloper([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	if err := developer.Check(); err != nil {
		t.Errorf("the C file is not usable: %v", err)
	}
	if wanted := "coaps://devices.example:5684?aid=" + fmt.Sprint(made.at("account_id")); developer.ServerURI != wanted {
		t.Errorf("the server URI is %s", developer.ServerURI)
	}
	bootstrap := w.must(200, w.ask("GET", "/v3/server-credentials/bootstrap", nil))
	if pki.CertificatePEM(developer.ServerCACertificate) != bootstrap.at("server_certificate") || developer.ServerURI != bootstrap.at("server_uri") {
		t.Error("the C file and the server credentials disagree")
	}
	again := w.must(200, w.ask("GET", "/v3/developer-certificates/"+made.id(), nil))
	if again.text != made.text {
		t.Errorf("read again it is %s", again.text)
	}
}

func TestADeveloperCertificateIsATrustedCertificate(t *testing.T) {
	w := newWorld(t)
	made := w.createCertificate("a")
	trusted := w.must(200, w.ask("GET", "/v3/trusted-certificates/"+made.id(), nil))
	for field, wanted := range map[string]any{
		"object": "trusted-cert", "service": "bootstrap", "device_execution_mode": 1.0, "status": "ACTIVE", "valid": true,
		"enrollment_mode": false, "certificate": made.at("developer_certificate"), "account_id": made.at("account_id"), "etag": "1",
	} {
		if trusted.at(field) != wanted {
			t.Errorf("%s is %v", field, trusted.at(field))
		}
	}
	if trusted.at("developer_private_key") != nil {
		t.Error("the private key is shown")
	}
	certificate := parsePEM(t, trusted.at("certificate"))
	if wanted := fmt.Sprintf("%x", pki.Fingerprint(certificate.Raw)); trusted.at("certificate_fingerprint") != wanted {
		t.Errorf("the fingerprint is %v", trusted.at("certificate_fingerprint"))
	}
	w.must(204, w.ask("DELETE", "/v3/trusted-certificates/"+made.id(), nil))
	for _, path := range []string{"/v3/trusted-certificates/", "/v3/developer-certificates/"} {
		checkFailure(t, w.ask("GET", path+made.id(), nil), 404, "404 Not Found")
	}
	checkFailure(t, w.ask("DELETE", "/v3/trusted-certificates/"+made.id(), nil), 404, "404 Not Found")
	w.createCertificate("a") // the name is free again
}

func TestTwoWhoTakeOneNameAtOnceGetOneCertificate(t *testing.T) {
	w := newWorld(t)
	const takers = 6
	lines := make([]string, takers)
	var group sync.WaitGroup
	for i := range takers {
		group.Go(func() {
			lines[i] = w.ask("POST", "/v3/developer-certificates", map[string]string{"name": "same"}).line
		})
	}
	group.Wait()
	count := map[string]int{}
	for _, line := range lines {
		count[line]++
	}
	if count["201 Created"] != 1 || count["409 Conflict"] != takers-1 {
		t.Errorf("answered %v", count)
	}
	if got := w.ask("GET", "/v3/trusted-certificates", nil); got.at("total_count") != 1.0 {
		t.Errorf("there are %v", got.at("total_count"))
	}
}

func TestTheLimitOfCertificatesIsKept(t *testing.T) {
	w := newWorldWith(t, cloud.Limits{CertificatesPerAccount: 2})
	first := w.createCertificate("a")
	w.createCertificate("b")
	got := w.ask("POST", "/v3/developer-certificates", map[string]string{"name": "c"})
	checkFailure(t, got, 403, "403 Forbidden")
	if got.at("type") != "account_limit_exceeded" {
		t.Errorf("the type is %v", got.at("type"))
	}
	w.must(204, w.ask("DELETE", "/v3/trusted-certificates/"+first.id(), nil))
	w.createCertificate("c")
}

func TestNoLimitIsZero(t *testing.T) {
	w := newWorldWith(t, cloud.Limits{})
	for i := range 60 {
		w.createCertificate(fmt.Sprint("certificate ", i))
	}
}

func TestTrustedCertificatesAreFiltered(t *testing.T) {
	w := newWorld(t)
	first := w.createCertificate("first")
	w.createCertificate("second")
	commonName := parsePEM(t, first.at("developer_certificate")).Subject.CommonName
	owner := fmt.Sprint(w.ask("GET", "/v3/api-keys/me", nil).at("owner"))
	for query, wanted := range map[string]float64{
		"":                                   2,
		"name__eq=first":                     1,
		"name=first":                         1,
		"name__eq=First":                     0,
		"service__eq=bootstrap":              2,
		"service__eq=lwm2m":                  0,
		"device_execution_mode__eq=1":        2,
		"device_execution_mode__neq=1":       0,
		"device_execution_mode__eq=0":        0,
		"status__eq=ACTIVE":                  2,
		"status__eq=INACTIVE":                0,
		"enrollment_mode__eq=false":          2,
		"enrollment_mode__eq=true":           0,
		"owner__eq=" + owner:                 2,
		"subject__like=cn%3D" + commonName:   1,
		"issuer__like=" + commonName[4:20]:   1,
		"issuer__like=%25":                   0,
		"valid__eq=true":                     2,
		"valid__eq=false":                    0,
		"expire__eq=30":                      0,
		"expire__eq=4000":                    2,
		"name__eq=first&service__eq=lwm2m":   0,
		"name__eq=first&status__eq=ACTIVE":   1,
		"filter=name__eq%3Dsecond":           1,
		"filter=name=second&status=ACTIVE":   1,
		"include=total_count&unrelated=true": 2,
	} {
		got := w.must(200, w.ask("GET", "/v3/trusted-certificates?"+query, nil))
		if got.at("total_count") != wanted {
			t.Errorf("%s chooses %v", query, got.at("total_count"))
		}
	}
	for _, query := range []string{
		"name__like=f", "subject__eq=x", "nothing__eq=x", "status__neq=ACTIVE", "valid__eq=maybe", "expire__eq=-1",
		"expire__eq=99999999", "device_execution_mode=one", "filter=nothing%3Dx", "limit=1", "limit=1001",
		"issuer__like=" + strings.Repeat("_", 30000), // more than SQLite takes
	} {
		checkFailure(t, w.ask("GET", "/v3/trusted-certificates?"+query, nil), 400, "400 Bad Request")
	}
}

func TestACertificateExpires(t *testing.T) {
	w := newWorld(t)
	made := w.createCertificate("a")
	w.ahead.Store(int64(11 * 365 * 24 * time.Hour))
	if got := w.ask("GET", "/v3/trusted-certificates/"+made.id(), nil); got.at("valid") != false {
		t.Errorf("after eleven years valid is %v", got.at("valid"))
	}
	if got := w.ask("GET", "/v3/trusted-certificates?valid__eq=false", nil); got.at("total_count") != 1.0 {
		t.Errorf("after eleven years %v are not valid", got.at("total_count"))
	}
}

func TestServerCredentialsComeFromDifferentAuthorities(t *testing.T) {
	w := newWorld(t)
	all := w.must(200, w.ask("GET", "/v3/server-credentials", nil))
	bootstrap := w.must(200, w.ask("GET", "/v3/server-credentials/bootstrap", nil))
	lwm2m := w.must(200, w.ask("GET", "/v3/server-credentials/lwm2m", nil))
	if all.at("bootstrap.url") != bootstrap.at("server_uri") || all.at("lwm2m.url") != lwm2m.at("server_uri") ||
		all.at("bootstrap.certificate") != bootstrap.at("server_certificate") || all.at("lwm2m.certificate") != lwm2m.at("server_certificate") {
		t.Errorf("all of them are %s", all.text)
	}
	if bootstrap.at("server_certificate") == lwm2m.at("server_certificate") {
		t.Error("both servers have one authority")
	}
	if lwm2m.at("server_uri") != "coaps://devices.example:5685" || lwm2m.at("object") != "server-credentials" {
		t.Errorf("the LwM2M server is %s", lwm2m.text)
	}
	address, err := url.Parse(fmt.Sprint(bootstrap.at("server_uri")))
	if err != nil || address.Query().Get("aid") != w.ask("GET", "/v3/accounts/me", nil).id() {
		t.Errorf("the bootstrap server is %v", bootstrap.at("server_uri"))
	}
	for _, text := range []any{bootstrap.at("server_certificate"), lwm2m.at("server_certificate")} {
		if ca := parsePEM(t, text); !ca.NotBefore.Equal(pki.DistantPast) || !ca.NotAfter.Equal(pki.DistantFuture) || !ca.IsCA {
			t.Errorf("the authority is valid from %v to %v", ca.NotBefore, ca.NotAfter)
		}
	}
}
