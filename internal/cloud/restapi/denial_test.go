package restapi_test

import (
	"fmt"
	"testing"
)

func TestDeniedBootstrapsAreListed(t *testing.T) {
	w := newWorld(t)
	made := w.createCertificate("a")
	presented := parsePEM(t, made.at("developer_certificate"))
	w.must(200, w.ask("PUT", "/v3/trusted-certificates/"+made.id(), map[string]string{"status": "INACTIVE"}))
	if err := w.service.RecognizeBootstrap(t.Context(), presented, nil, "192.0.2.1:5000"); err == nil {
		t.Fatal("an inactive certificate is recognised")
	}
	const path = "/v3/device-enrollment-denials"
	got := w.must(200, w.ask("GET", path+"?trusted_certificate_id__eq="+made.id(), nil))
	for field, wanted := range map[string]any{
		"total_count": 1.0, "data.0.object": "denied_device", "data.0.endpoint_name": presented.Subject.CommonName,
		"data.0.trusted_certificate_id": made.id(), "data.0.account_id": made.at("account_id"),
	} {
		if got.at(field) != wanted {
			t.Errorf("%s is %v", field, got.at(field))
		}
	}
	one := w.must(200, w.ask("GET", path+"/"+fmt.Sprint(got.at("data.0.id")), nil))
	if one.at("endpoint_name") != presented.Subject.CommonName {
		t.Errorf("one is %s", one.text)
	}
	if got := w.ask("GET", path+"?trusted_certificate_id__eq="+made.id()+"&endpoint_name__eq=x", nil); got.at("total_count") != 0.0 {
		t.Errorf("by another name %s", got.text)
	}
	checkFailure(t, w.ask("GET", path, nil), 400, "400 Bad Request")
	const nobody = "0123456789abcdef0123456789abcdef"
	checkFailure(t, w.ask("GET", path+"/"+nobody, nil), 404, "404 Not Found")
	checkFailure(t, w.ask("GET", path+"?trusted_certificate_id__eq="+made.id()+"&after="+nobody, nil), 404, "404 Not Found")
}
