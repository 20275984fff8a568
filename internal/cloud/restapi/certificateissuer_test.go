package restapi_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"mbl/internal/cloud"
)

func TestTheIssuerOfDeviceCertificatesIsConfigured(t *testing.T) {
	w := newWorld(t)
	const path = "/v3/certificate-issuer-configurations"
	all := w.must(200, w.ask("GET", path, nil))
	if all.at("total_count") != 1.0 || all.at("data.0.certificate_issuer_id") != nil || all.at("data.0.reference") != "LWM2M" ||
		all.at("data.0.is_custom") != false || all.at("data.0.object") != "certificate-issuer-configuration" {
		t.Errorf("at first it is %s", all.text)
	}
	issuers := w.must(200, w.ask("GET", "/v3/certificate-issuers", nil))
	issuer := issuers.at("data.0.id")
	if issuers.at("total_count") != 1.0 || issuer == nil {
		t.Fatalf("the issuers are %s", issuers.text)
	}
	set := w.must(200, w.ask("PUT", path+"/lwm2m", map[string]any{"certificate_issuer_id": issuer}))
	if set.at("certificate_issuer_id") != issuer || set.at("etag") != "2" {
		t.Errorf("set it is %s", set.text)
	}
	for _, again := range []string{path + "/lwm2m", path + "/" + set.id()} {
		if got := w.must(200, w.ask("GET", again, nil)); got.text != set.text {
			t.Errorf("%s is %s", again, got.text)
		}
	}
	back := w.must(200, w.ask("PUT", path+"/"+set.id(), map[string]any{"certificate_issuer_id": nil}))
	if back.at("certificate_issuer_id") != nil {
		t.Errorf("set back it is %s", back.text)
	}
	if got := w.must(200, w.ask("GET", path+"?reference__eq=lwm2m", nil)); got.at("total_count") != 1.0 {
		t.Errorf("by its reference %s", got.text)
	}
	if got := w.must(200, w.ask("GET", path+"?reference__eq=customer.dlms", nil)); got.at("total_count") != 0.0 {
		t.Errorf("by another reference %s", got.text)
	}
	w.must(200, w.ask("GET", "/v3/certificate-issuers/"+issuer.(string), nil))
}

func TestIssuersThatDoNotExistAreRefused(t *testing.T) {
	w := newWorld(t)
	const path = "/v3/certificate-issuer-configurations"
	got := w.ask("PUT", path+"/lwm2m", map[string]any{"certificate_issuer_id": "0123456789abcdef0123456789abcdef"})
	checkFailure(t, got, 400, "400 Bad Request")
	if got.at("fields.0.name") != "certificate_issuer_id" {
		t.Errorf("refused with %s", got.text)
	}
	checkFailure(t, w.ask("GET", path+"/0123456789abcdef0123456789abcdef", nil), 404, "404 Not Found")
	checkFailure(t, w.ask("PUT", path+"/0123456789abcdef0123456789abcdef", map[string]any{}), 404, "404 Not Found")
	checkFailure(t, w.ask("GET", "/v3/certificate-issuers/0123456789abcdef0123456789abcdef", nil), 404, "404 Not Found")
	checkFailure(t, w.askAs(w.newKey(cloud.Developers), "PUT", path+"/lwm2m", map[string]any{}), 403, "403 Forbidden")
}

// renewingDevice connects a device that may be asked to bootstrap.
type renewingDevice struct{ asked []string }

func (*renewingDevice) Alive(context.Context, string) bool { return false }

func (*renewingDevice) Disconnect(string) {}

func (d *renewingDevice) Execute(_ context.Context, _ string, path []string) (bool, error) {
	d.asked = append(d.asked, strings.Join(path, "/"))
	return true, nil
}

func TestACertificateIsRenewedOnRequest(t *testing.T) {
	w := newWorld(t)
	connected := &renewingDevice{}
	w.service.UseConnections(connected)
	device := w.bootstrap(w.createCertificate("a"))
	renew := "/v3/devices/" + device.DeviceID + "/certificates/LWM2M/renew"
	checkFailure(t, w.ask("POST", renew, nil), 423, "423 Locked")
	registration := cloud.Registration{EndpointName: device.EndpointName, ClientVersion: "mbl-1", Links: []cloud.Link{{Path: "/1/0/9"}}}
	if _, err := w.service.Register(t.Context(), device, registration); err != nil {
		t.Fatal(err)
	}
	made := w.must(201, w.ask("POST", renew, nil))
	for field, wanted := range map[string]any{
		"object": "certificate-enrollment", "device_id": device.DeviceID, "certificate_name": "LWM2M", "enroll_status": "new",
	} {
		if made.at(field) != wanted {
			t.Errorf("%s is %v", field, made.at(field))
		}
	}
	if !slices.Equal(connected.asked, []string{"1/0/9"}) {
		t.Errorf("asked for %q", connected.asked)
	}
	checkFailure(t, w.ask("POST", renew, nil), 409, "409 Conflict")
	checkFailure(t, w.ask("POST", "/v3/devices/"+device.DeviceID+"/certificates/customer.dlms/renew", nil), 400, "400 Bad Request")
	checkFailure(t, w.ask("POST", "/v3/devices/0123456789abcdef0123456789abcdef/certificates/LWM2M/renew", nil), 404, "404 Not Found")
	if got := w.must(200, w.ask("GET", "/v3/certificate-enrollments/"+made.id(), nil)); got.text != made.text {
		t.Errorf("read it is %s", got.text)
	}
	got := w.must(200, w.ask("GET", "/v3/certificate-enrollments?enroll_status__eq=new&device_id__eq="+device.DeviceID, nil))
	if got.at("total_count") != 1.0 || got.at("data.0.id") != made.id() {
		t.Errorf("the list is %s", got.text)
	}
	checkFailure(t, w.ask("GET", "/v3/certificate-enrollments/0123456789abcdef0123456789abcdef", nil), 404, "404 Not Found")
	checkFailure(t, w.ask("GET", "/v3/certificate-enrollments?enroll_status__lte=x", nil), 400, "400 Bad Request")
}
