package restapi_test

import (
	"testing"
)

func TestADeviceIsSuspendedAndResumed(t *testing.T) {
	w := newWorld(t)
	device := w.bootstrap(w.createCertificate("a"))
	path := "/v3/devices/" + device.DeviceID
	if got := w.must(200, w.ask("GET", path, nil)); got.at("lifecycle_status") != "enabled" || got.at("operator_suspended") != false || got.at("system_suspended") != false {
		t.Errorf("at first it is %s", got.text)
	}
	w.must(204, w.ask("POST", path+"/suspend", map[string]string{"category": "lost_or_stolen", "description": "phoned"}))
	got := w.must(200, w.ask("GET", path, nil))
	if got.at("lifecycle_status") != "blocked" || got.at("operator_suspended") != true || got.at("last_operator_suspended_category") != "lost_or_stolen" ||
		got.at("last_operator_suspended_description") != "phoned" || got.at("last_operator_suspended_updated_at") == nil {
		t.Errorf("suspended it is %s", got.text)
	}
	if got := w.must(200, w.ask("GET", "/v3/devices?lifecycle_status__eq=blocked&operator_suspended__eq=true", nil)); got.at("total_count") != 1.0 {
		t.Errorf("found %v", got.at("total_count"))
	}
	checkFailure(t, w.ask("POST", path+"/resume", map[string]string{"category": "maintenance"}), 400, "400 Bad Request")
	w.must(204, w.ask("POST", path+"/resume", map[string]string{"category": "lost_or_stolen"}))
	if got := w.must(200, w.ask("GET", path, nil)); got.at("lifecycle_status") != "enabled" {
		t.Errorf("resumed it is %s", got.text)
	}
	checkFailure(t, w.ask("POST", path+"/suspend", map[string]string{"category": "mood"}), 400, "400 Bad Request")
	checkFailure(t, w.ask("POST", path+"/suspend", "no JSON"), 400, "400 Bad Request")
	checkFailure(t, w.ask("POST", "/v3/devices/0123456789abcdef0123456789abcdef/suspend", map[string]string{}), 404, "404 Not Found")
}

func TestBlockCategoriesAreListed(t *testing.T) {
	w := newWorld(t)
	all := w.must(200, w.ask("GET", "/v3/device-block-categories/", nil))
	if all.at("total_count") != 4.0 || all.at("data.0.object") != "device-block-category" || all.at("data.0.reference") != "lost_or_stolen" {
		t.Errorf("the list is %s", all.text)
	}
	if got := w.must(200, w.ask("GET", "/v3/device-block-categories?reference__nin=other,security&order=DESC", nil)); got.at("total_count") != 2.0 ||
		got.at("data.0.reference") != "maintenance" {
		t.Errorf("filtered %s", got.text)
	}
	if got := w.must(200, w.ask("GET", "/v3/device-block-categories/maintenance", nil)); got.at("reference") != "maintenance" {
		t.Errorf("one is %s", got.text)
	}
	checkFailure(t, w.ask("GET", "/v3/device-block-categories/mood", nil), 404, "404 Not Found")
}
