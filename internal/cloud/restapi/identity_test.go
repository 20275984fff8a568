package restapi_test

import (
	"fmt"
	"testing"

	"mbl/internal/pki"
)

func (w *world) certificateRequest() string {
	w.t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	request, err := pki.NewRequest(key)
	if err != nil {
		w.t.Fatal(err)
	}
	return request
}

func TestTheCertificateOfOneDeviceIsSignedListedAndDeleted(t *testing.T) {
	w := newWorld(t)
	developer := w.createCertificate("boards")
	body := map[string]string{"developer_certificate_id": developer.id(), "certificate_request": w.certificateRequest()}
	made := w.must(201, w.ask("POST", "/v3/device-certificates", body))
	w.must(201, w.ask("POST", "/v3/device-certificates", body))
	certificate := parsePEM(t, made.at("certificate"))
	if made.at("endpoint_name") != certificate.Subject.CommonName || made.at("developer_certificate_id") != developer.id() {
		t.Errorf("made %s", made.text)
	}
	if listed := w.must(200, w.ask("GET", "/v3/device-certificates", nil)); listed.at("total_count") != 2.0 {
		t.Errorf("listed %s", listed.text)
	}
	filter := "/v3/device-certificates?developer_certificate_id__eq=" + developer.id() + "&endpoint_name__eq=" + fmt.Sprint(made.at("endpoint_name"))
	if listed := w.must(200, w.ask("GET", filter, nil)); listed.at("total_count") != 1.0 {
		t.Errorf("of the device are listed %s", listed.text)
	}
	checkFailure(t, w.ask("GET", "/v3/developer-certificates/"+made.id(), nil), 404, "404 Not Found")
	w.must(200, w.ask("GET", "/v3/trusted-certificates/"+made.id(), nil))
	w.must(204, w.ask("DELETE", "/v3/trusted-certificates/"+made.id(), nil))
	checkFailure(t, w.ask("GET", "/v3/trusted-certificates/"+made.id(), nil), 404, "404 Not Found")
	w.must(204, w.ask("DELETE", "/v3/trusted-certificates/"+developer.id(), nil))
	if listed := w.must(200, w.ask("GET", "/v3/trusted-certificates", nil)); listed.at("total_count") != 0.0 {
		t.Errorf("left are %s", listed.text)
	}
}

func TestBadRequestsForTheCertificateOfOneDeviceAreRefused(t *testing.T) {
	w := newWorld(t)
	developer := w.createCertificate("boards")
	request := w.certificateRequest()
	for _, body := range []map[string]string{
		{},
		{"developer_certificate_id": developer.id()},
		{"developer_certificate_id": developer.id(), "certificate_request": "hello"},
		{"developer_certificate_id": "..", "certificate_request": request},
	} {
		checkFailure(t, w.ask("POST", "/v3/device-certificates", body), 400, "400 Bad Request")
	}
	unknown := map[string]string{"developer_certificate_id": "0123456789abcdef0123456789abcdef", "certificate_request": request}
	checkFailure(t, w.ask("POST", "/v3/device-certificates", unknown), 404, "404 Not Found")
	if listed := w.must(200, w.ask("GET", "/v3/device-certificates", nil)); listed.at("total_count") != 0.0 {
		t.Errorf("left are %s", listed.text)
	}
}
