package restapi_test

import (
	"strings"
	"testing"
)

func TestADeviceIsClaimed(t *testing.T) {
	w := newWorld(t)
	const path = "/v3/device-enrollments"
	identity := "A-35:e7:72:8a:07:50:3b:3d:75:96:57:52:72:41:0d:78:cc:c6:e5:53:48:c6:65:58:5b:fa:af:4d:2d:73:95:c5"
	made := w.must(201, w.ask("POST", path, map[string]string{"enrollment_identity": identity}))
	for field, wanted := range map[string]any{"object": "enrollment", "enrollment_identity": identity, "enrolled_device_id": nil, "claimed_at": nil} {
		if made.at(field) != wanted {
			t.Errorf("%s is %v", field, made.at(field))
		}
	}
	if got := w.must(200, w.ask("GET", path+"/"+made.id(), nil)); got.text != made.text {
		t.Errorf("read %s", got.text)
	}
	if got := w.must(200, w.ask("GET", path+"?limit=2", nil)); got.at("total_count") != 1.0 || got.at("data.0.id") != made.id() {
		t.Errorf("listed %s", got.text)
	}
	checkFailure(t, w.ask("POST", path, map[string]string{"enrollment_identity": strings.ToUpper(identity)}), 409, "409 Conflict")
	checkFailure(t, w.ask("POST", path, map[string]string{"enrollment_identity": "A-1"}), 400, "400 Bad Request")
	w.must(204, w.ask("DELETE", path+"/"+made.id(), nil))
	checkFailure(t, w.ask("GET", path+"/"+made.id(), nil), 404, "404 Not Found")
	checkFailure(t, w.ask("DELETE", path+"/"+made.id(), nil), 404, "404 Not Found")
}
