package restapi_test

import (
	"fmt"
	"strings"
	"testing"

	"mbl/internal/cloud"
)

// groupIDs are the ids of the two policy groups.
func (w *world) groupIDs() (administrators, developers string) {
	w.t.Helper()
	for _, item := range w.must(200, w.ask("GET", "/v3/policy-groups", nil)).at("data").([]any) {
		group := item.(map[string]any)
		switch group["name"] {
		case "Administrators":
			administrators = group["id"].(string)
		case "Developers":
			developers = group["id"].(string)
		}
	}
	return administrators, developers
}

func TestTheAccountIsChangedByAdministrators(t *testing.T) {
	w := newWorld(t)
	body := map[string]any{
		"address_line1": "1 Street", "city": "Town", "company": "Ours", "contact": "Me", "country": "FI", "display_name": "Test bench",
		"email": "me@example.test", "end_market": "IoT", "phone_number": "+1", "postal_code": "1", "state": "S", "address_line2": "",
		"aliases": []string{"test-bench"}, "custom_fields": map[string]string{"a": "b"}, "notification_emails": []string{"me@example.test"},
		"expiration_warning_threshold": 180, "idle_timeout": 30, "mfa_status": "optional", "password_recovery_expiration": 5,
		"password_policy": map[string]int{"minimum_length": 8}, "later": true,
	}
	before := w.must(200, w.ask("GET", "/v3/accounts/me", nil))
	changed := w.must(200, w.ask("PUT", "/v3/accounts/me/", body))
	if before.at("etag") != "1" || changed.at("etag") != "2" || changed.id() != before.id() {
		t.Errorf("it is %s", changed.text)
	}
	for field, wanted := range body {
		if text, is := wanted.(string); is && changed.at(field) != text {
			t.Errorf("%s is %v", field, changed.at(field))
		}
	}
	if changed.at("aliases.0") != "test-bench" || changed.at("custom_fields.a") != "b" || changed.at("idle_timeout") != 30.0 || changed.at("password_policy.minimum_length") != 8.0 {
		t.Errorf("it is %s", changed.text)
	}
	w.must(200, w.ask("PUT", "/v3/accounts/me", map[string]any{"city": "Village", "company": nil}))
	if got := w.must(200, w.ask("GET", "/v3/accounts/me", nil)); got.at("city") != "Village" || got.at("company") != "Ours" {
		t.Errorf("after a second change it is %s", got.text)
	}
	for field, value := range map[string]any{
		"city": strings.Repeat("x", 101), "aliases": []string{"short"}, "email": "nobody", "idle_timeout": 121, "expiration_warning_threshold": 0,
		"mfa_status": "maybe", "password_recovery_expiration": 46, "password_policy": map[string]int{"minimum_length": 7}, "notification_emails": []string{"@"},
		"custom_fields": map[string]int{"a": 1}, "country": 5,
	} {
		got := w.ask("PUT", "/v3/accounts/me", map[string]any{field: value})
		checkFailure(t, got, 400, "400 Bad Request")
		if name := fmt.Sprint(got.at("fields.0.name")); !strings.HasPrefix(name, field) {
			t.Errorf("%s: blames %s", field, name)
		}
	}
	checkFailure(t, w.askAs(w.newKey(cloud.Developers), "PUT", "/v3/accounts/me", body), 403, "403 Forbidden")
}

func TestListsThatAreEmptyHere(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v3/accounts/me/notifications", "/v3/metrics?include=transactions&interval=1d"} {
		got := w.must(200, w.ask("GET", path, nil))
		if got.at("object") != "list" || got.at("total_count") != 0.0 || len(got.at("data").([]any)) != 0 || got.at("has_more") != false {
			t.Errorf("%s is %s", path, got.text)
		}
	}
}

func TestLimitsAreListed(t *testing.T) {
	w := newWorldWith(t, cloud.Limits{DevicesPerCertificate: 7})
	got := w.must(200, w.ask("GET", "/v3/limitations", nil))
	if got.at("total_count") != 1.0 || got.at("data.0.name") != "developer_certificate_devices" || got.at("data.0.limit") != 7.0 {
		t.Errorf("they are %s", got.text)
	}
	id := fmt.Sprint(got.at("data.0.id"))
	if one := w.must(200, w.ask("GET", "/v3/limitations/"+id, nil)); one.id() != id || one.at("object") != "limitation" {
		t.Errorf("it is %s", one.text)
	}
	if got := w.must(200, w.ask("GET", "/v3/limitations?inherited__eq=true", nil)); got.at("total_count") != 0.0 {
		t.Errorf("inherited: %s", got.text)
	}
	checkFailure(t, w.ask("GET", "/v3/limitations/"+strings.Repeat("0", 32), nil), 404, "404 Not Found")
}

func TestThereIsOneUser(t *testing.T) {
	w := newWorld(t)
	administrators, developers := w.groupIDs()
	owner := fmt.Sprint(w.ask("GET", "/v3/api-keys/me", nil).at("owner"))
	list := w.must(200, w.ask("GET", "/v3/users/", nil))
	if list.at("total_count") != 1.0 || list.at("data.0.id") != owner || list.at("data.0.status") != "ACTIVE" || list.at("data.0.object") != "user" {
		t.Errorf("users are %s", list.text)
	}
	email := fmt.Sprint(list.at("data.0.email"))
	for query, wanted := range map[string]float64{
		"email__eq=" + email: 1, "email__eq=x@y": 0, "status__eq=ACTIVE": 1, "status__in=INVITED,ACTIVE": 1, "status__nin=ACTIVE": 0,
		"login_profiles__eq=x": 0, "order=DESC": 1, "after=" + owner: 1,
	} {
		if got := w.must(200, w.ask("GET", "/v3/users?"+query, nil)); got.at("total_count") != wanted {
			t.Errorf("%s chooses %v", query, got.at("total_count"))
		}
	}
	if got := w.must(200, w.ask("GET", "/v3/users?after="+owner, nil)); len(got.at("data").([]any)) != 0 {
		t.Errorf("after the last user comes %s", got.text)
	}
	developer := w.newKey(cloud.Developers)
	for path, wanted := range map[string]int{"/v3/users/me": 200, "/v3/users/" + owner: 200, "/v3/users": 403, "/v3/users/" + developers: 403} {
		if got := w.askAs(developer, "GET", path, nil); got.status != wanted {
			t.Errorf("a developer's %s is answered %s", path, got.line)
		}
	}
	checkFailure(t, w.ask("GET", "/v3/users/"+developers, nil), 404, "404 Not Found")
	if got := w.must(200, w.ask("GET", "/v3/users/"+owner+"/groups", nil)); ids(got) != administrators {
		t.Errorf("the user's groups are %s", got.text)
	}
}

func TestThereAreTwoGroups(t *testing.T) {
	w := newWorld(t)
	w.newKey(cloud.Developers)
	administrators, developers := w.groupIDs()
	list := w.must(200, w.ask("GET", "/v3/policy-groups/", nil))
	if list.at("total_count") != 2.0 || list.at("data.0.apikey_count") != 1.0 || list.at("data.0.user_count") != 1.0 || list.at("data.1.user_count") != 0.0 {
		t.Errorf("groups are %s", list.text)
	}
	if got := w.must(200, w.ask("GET", "/v3/policy-groups?name__eq=Developers", nil)); ids(got) != developers {
		t.Errorf("by name: %s", got.text)
	}
	if got := w.must(200, w.ask("GET", "/v3/policy-groups?order=DESC&limit=2", nil)); ids(got) != developers+" "+administrators {
		t.Errorf("backwards: %s", ids(got))
	}
	path := "/v3/policy-groups/" + developers
	if got := w.must(200, w.ask("GET", path, nil)); got.at("name") != "Developers" || got.at("object") != "group" {
		t.Errorf("it is %s", got.text)
	}
	if got := w.must(200, w.ask("GET", path+"/api-keys", nil)); got.at("total_count") != 1.0 || got.at("data.0.groups.0") != developers {
		t.Errorf("its keys are %s", got.text)
	}
	if got := w.must(200, w.ask("GET", path+"/users", nil)); got.at("total_count") != 0.0 {
		t.Errorf("its users are %s", got.text)
	}
	if got := w.must(200, w.ask("GET", "/v3/policy-groups/"+administrators+"/users?status__eq=ACTIVE", nil)); got.at("total_count") != 1.0 {
		t.Errorf("the administrators are %s", got.text)
	}
	nowhere := "/v3/policy-groups/" + strings.Repeat("0", 32)
	for _, request := range [][2]string{{"GET", nowhere}, {"GET", nowhere + "/api-keys"}, {"GET", nowhere + "/users"}, {"DELETE", nowhere}, {"POST", nowhere}} {
		checkFailure(t, w.ask(request[0], request[1], `{}`), 404, "404 Not Found")
	}
	for _, request := range [][2]string{{"POST", "/v3/policy-groups"}, {"PUT", path}, {"DELETE", path}} {
		checkFailure(t, w.ask(request[0], request[1], map[string]string{"name": "Third"}), 403, "403 Forbidden")
	}
}

// checkUpdated wants what both generations of the published document answer to
// a change of members.
func checkUpdated(t *testing.T, got reply, object, id string) {
	t.Helper()
	if got.status != 200 || got.at("object") != object || got.id() != id || got.at("code") != 200.0 || got.at("type") != "success" ||
		got.at("message") == nil || got.at("etag") == nil || !hexID.MatchString(fmt.Sprint(got.at("request_id"))) {
		t.Errorf("answered %s: %s", got.line, got.text)
	}
}

func TestKeysAreMovedBetweenGroups(t *testing.T) {
	w := newWorld(t)
	administrators, developers := w.groupIDs()
	made := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "x"}))
	text := fmt.Sprint(made.at("key"))
	path := "/v3/api-keys/" + made.id() + "/groups"
	if got := w.must(200, w.ask("GET", path, nil)); ids(got) != developers || got.at("data.0.object") != "group" {
		t.Errorf("a new key is in %s", got.text)
	}
	checkUpdated(t, w.ask("POST", path+"/", []string{strings.ToUpper(administrators)}), "api-key", made.id())
	if got := w.must(200, w.askAs(text, "GET", "/v3/api-keys/me/groups", nil)); ids(got) != administrators+" "+developers {
		t.Errorf("it is in %q", ids(got))
	}
	w.must(200, w.askAs(text, "GET", "/v3/api-keys", nil)) // it is an administrator's now
	checkUpdated(t, w.ask("DELETE", path, []string{developers}), "api-key", made.id())
	checkFailure(t, w.ask("POST", path+"/remove", []string{administrators, developers}), 400, "400 Bad Request")
	checkUpdated(t, w.askAs(text, "POST", "/v3/api-keys/me/groups/add", []string{developers}), "api-key", made.id())
	checkUpdated(t, w.askAs(text, "DELETE", "/v3/api-keys/me/groups", []string{administrators}), "api-key", made.id())
	w.must(403, w.askAs(text, "GET", "/v3/api-keys", nil))

	group := "/v3/policy-groups/" + administrators
	for _, path := range []string{group, group + "/api-keys", group + "/api-keys/add"} {
		checkUpdated(t, w.ask("POST", path, map[string]any{"apikeys": []string{made.id()}, "users": nil}), "group", administrators)
		if got := w.must(200, w.ask("GET", group, nil)); got.at("apikey_count") != 2.0 {
			t.Errorf("the group is %s", got.text)
		}
		checkUpdated(t, w.ask("DELETE", group+"/api-keys", map[string]any{"apikeys": []string{made.id()}}), "group", administrators)
	}
	checkFailure(t, w.ask("POST", group+"/users/remove", map[string]any{"users": []string{fmt.Sprint(made.at("owner"))}}), 403, "403 Forbidden")
	for _, body := range []string{`["x"]`, `{}`, `[5]`, `null x`} {
		checkFailure(t, w.ask("POST", path, body), 400, "400 Bad Request")
	}
	for _, member := range []string{"apikeys", "users"} {
		checkFailure(t, w.ask("POST", group, map[string]any{member: []string{"x"}}), 400, "400 Bad Request")
	}
	checkFailure(t, w.ask("POST", "/v3/api-keys/"+strings.Repeat("0", 32)+"/groups", []string{developers}), 404, "404 Not Found")
}

func TestWhatIsInAGroupAlreadyIsNotPutThere(t *testing.T) {
	w := newWorld(t)
	administrators, developers := w.groupIDs()
	made := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "x"}))
	key, group := "/v3/api-keys/"+made.id()+"/groups", "/v3/policy-groups/"+developers
	for _, request := range []struct {
		path string
		body any
	}{
		{key, []string{developers}},
		{key + "/add", []string{administrators, developers}},
		{"/v3/api-keys/me/groups", []string{administrators}},
		{group, map[string]any{"apikeys": []string{made.id()}}},
		{group + "/api-keys/add", map[string]any{"apikeys": []string{made.id()}}},
		{"/v3/policy-groups/" + administrators + "/users", map[string]any{"users": []string{fmt.Sprint(made.at("owner"))}}},
	} {
		checkFailure(t, w.ask("POST", request.path, request.body), 409, "409 Conflict")
	}
	if got := w.must(200, w.ask("GET", key, nil)); ids(got) != developers {
		t.Errorf("the key is in %s: one refused group is none added", got.text)
	}
	checkUpdated(t, w.ask("POST", "/v3/policy-groups/"+administrators+"/api-keys/remove", map[string]any{"apikeys": []string{made.id()}}), "group", administrators)
}

func TestADevelopersKeyManagesOnlyItself(t *testing.T) {
	w := newWorld(t)
	administrators, developers := w.groupIDs()
	own := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "own"}))
	text := fmt.Sprint(own.at("key"))
	other := "/v3/api-keys/" + w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "other"})).id()
	w.must(200, w.askAs(text, "GET", "/v3/api-keys/me/groups", nil))
	w.must(200, w.askAs(text, "GET", "/v3/api-keys/"+own.id()+"/groups", nil))
	w.must(200, w.askAs(text, "PUT", "/v3/api-keys/me", map[string]any{"name": "mine", "groups": []string{developers}}))
	for _, request := range []struct {
		method, path string
		body         any
	}{
		{"GET", other, nil},
		{"PUT", other, map[string]string{"name": "x"}},
		{"DELETE", other, nil},
		{"POST", other + "/reset-secret", nil},
		{"GET", other + "/groups", nil},
		{"POST", other + "/groups", []string{administrators}},
		{"DELETE", other + "/groups/", []string{developers}},
		{"POST", "/v3/api-keys/me/groups", []string{administrators}},
		{"POST", "/v3/api-keys/me/groups/add", []string{administrators}},
		{"POST", "/v3/api-keys/" + own.id() + "/groups/add", []string{administrators}},
		{"DELETE", "/v3/api-keys/me/groups", []string{developers}},
		{"POST", "/v3/policy-groups/" + administrators, map[string]any{"apikeys": []string{own.id()}}},
		{"GET", "/v3/policy-groups/" + administrators + "/api-keys", nil},
	} {
		checkFailure(t, w.askAs(text, request.method, request.path, request.body), 403, "403 Forbidden")
	}
	w.must(204, w.askAs(text, "DELETE", "/v3/api-keys/"+own.id(), nil))
	w.must(401, w.askAs(text, "GET", "/v3/api-keys/me", nil))
}

func TestTheLastAdministratorsKeyStays(t *testing.T) {
	w := newWorld(t)
	administrators, developers := w.groupIDs()
	mine := w.must(200, w.ask("GET", "/v3/api-keys/me", nil))
	path := "/v3/api-keys/" + mine.id()
	asleep := w.must(201, w.ask("POST", "/v3/api-keys", map[string]any{"name": "asleep", "groups": []string{administrators, developers}, "status": "INACTIVE"}))
	w.must(200, w.ask("POST", path+"/groups", []string{developers}))
	for name, got := range map[string]reply{
		"deleted":     w.ask("DELETE", path, nil),
		"inactive":    w.ask("PUT", path, map[string]string{"status": "INACTIVE"}),
		"moved":       w.ask("PUT", path, map[string]any{"groups": []string{developers}}),
		"taken out":   w.ask("DELETE", path+"/groups", []string{administrators}),
		"taken out 2": w.ask("POST", "/v3/policy-groups/"+administrators+"/api-keys/remove", map[string]any{"apikeys": []string{asleep.id(), mine.id()}}),
	} {
		checkFailure(t, got, 409, "409 Conflict")
		if name != "" && !strings.Contains(fmt.Sprint(got.at("message")), "last active API key of an administrator") {
			t.Errorf("%s: it says %v", name, got.at("message"))
		}
	}
	another := w.must(201, w.ask("POST", "/v3/api-keys", map[string]any{"name": "another", "groups": []string{administrators}}))
	w.must(204, w.ask("DELETE", path, nil))
	w.must(200, w.askAs(fmt.Sprint(another.at("key")), "GET", "/v3/api-keys", nil))
}
