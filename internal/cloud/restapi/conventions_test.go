package restapi_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"mbl/internal/cloud"
)

var (
	hexID     = regexp.MustCompile(`^[a-f0-9]{32}$`)
	wholeTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
)

func checkFailure(t *testing.T, got reply, status int, line string) {
	t.Helper()
	if got.status != status || got.line != line {
		t.Errorf("answered %q instead of %q: %s", got.line, line, got.text)
	}
	if got.at("object") != "error" || got.at("code") != float64(status) || got.at("message") == "" || got.at("type") == "" {
		t.Errorf("the error body is %s", got.text)
	}
	if !hexID.MatchString(fmt.Sprint(got.at("request_id"))) {
		t.Errorf("the request id is %v", got.at("request_id"))
	}
	if _, isList := got.at("fields").([]any); !isList {
		t.Errorf("fields is %v", got.at("fields"))
	}
	if kind := got.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("the error is %s", kind)
	}
}

func TestEveryErrorIsAJSONObjectWithItsReason(t *testing.T) {
	w := newWorld(t)
	missing := "0123456789abcdef0123456789abcdef"
	for _, test := range []struct {
		method, path string
		body         any
		status       int
		line         string
	}{
		{"GET", "/", nil, 404, "404 Not Found"},
		{"GET", "/v3/nothing", nil, 404, "404 Not Found"},
		{"GET", "/v3/devices/" + missing, nil, 404, "404 Not Found"},
		{"GET", "/v3/devices/not-an-id", nil, 404, "404 Not Found"},
		{"GET", "/v3/../v3/devices", nil, 404, "404 Not Found"},
		{"GET", "/v3/devices/%2e%2e", nil, 404, "404 Not Found"},
		{"PATCH", "/v3/devices", nil, 405, "405 Method Not Allowed"},
		{"DELETE", "/v3/accounts/me", nil, 405, "405 Method Not Allowed"},
		{"GET", "/v3/developer-certificates", nil, 405, "405 Method Not Allowed"},
		{"POST", "/v3/developer-certificates", `{"name":`, 400, "400 Bad Request"},
		{"POST", "/v3/developer-certificates", `{"name":"x"} more`, 400, "400 Bad Request"},
		{"POST", "/v3/developer-certificates", `[]`, 400, "400 Bad Request"},
		{"POST", "/v3/developer-certificates", `null`, 400, "400 Bad Request"},
		{"POST", "/v3/developer-certificates", ``, 400, "400 Bad Request"},
		{"POST", "/v3/developer-certificates", `{"name":5}`, 400, "400 Bad Request"},
		{"POST", "/v3/developer-certificates", `{"name":"` + strings.Repeat("x", 70000) + `"}`, 413, "413 Request Entity Too Large"},
		{"PUT", "/v3/api-keys/me", `{"status":"asleep"}`, 400, "400 Bad Request"},
		{"PUT", "/v3/api-keys/me", `{"groups":"x"}`, 400, "400 Bad Request"},
		{"PUT", "/v3/api-keys/me", " null ", 400, "400 Bad Request"},
		{"POST", "/v3/api-keys/me/groups", "null", 400, "400 Bad Request"},
		{"GET", "/v3/devices?filter=%zz", nil, 400, "400 Bad Request"},
	} {
		checkFailure(t, w.ask(test.method, test.path, test.body), test.status, test.line)
	}
}

func TestAWrongTypeIsNamed(t *testing.T) {
	w := newWorld(t)
	for body, message := range map[string]string{
		`{"city":[]}`:                       "city is an array instead of a string",
		`{"city":{}}`:                       "city is an object instead of a string",
		`{"city":true}`:                     "city is true or false instead of a string",
		`{"idle_timeout":1.5}`:              "idle_timeout is a number instead of a whole number",
		`{"idle_timeout":"1"}`:              "idle_timeout is a string instead of a whole number",
		`{"aliases":1}`:                     "aliases is a number instead of an array",
		`{"custom_fields":[]}`:              "custom_fields is an array instead of an object",
		`{"password_policy":[]}`:            "password_policy is an array instead of an object",
		`{"display_name":"a","city":false}`: "city is true or false instead of a string",
	} {
		got := w.ask("PUT", "/v3/accounts/me", body)
		checkFailure(t, got, 400, "400 Bad Request")
		if got.at("message") != message {
			t.Errorf("%s: %v", body, got.at("message"))
		}
	}
}

// Clients that escape nothing send a semicolon as it is.
func TestASemicolonInAQueryIsACharacter(t *testing.T) {
	w := newWorld(t)
	w.must(201, w.ask("POST", "/v3/devices", map[string]string{"name": "a;b"}))
	for _, query := range []string{"name__eq=a;b", "name=a%3Bb", "filter=name%3Da;b", "filter=name__in%3Da%3Bb,c", "filter=name%3Da%253Bb"} {
		if got := w.must(200, w.ask("GET", "/v3/devices?"+query, nil)); got.at("total_count") != 1.0 {
			t.Errorf("%s finds %s", query, got.text)
		}
	}
}

func TestAWrongMethodSaysWhichAreRight(t *testing.T) {
	w := newWorld(t)
	if allow := w.ask("POST", "/v3/devices/0123456789abcdef0123456789abcdef", nil).header.Get("Allow"); allow != "GET, HEAD, PUT, DELETE, OPTIONS" {
		t.Errorf("Allow is %q", allow)
	}
}

func TestPathsWorkWithAndWithoutSlashAndNeverRedirect(t *testing.T) {
	w := newWorld(t)
	certificate := w.createCertificate("first")
	device := w.bootstrap(certificate)
	for _, path := range []string{
		"/v3/accounts/me", "/v3/api-keys", "/v3/api-keys/me", "/v3/trusted-certificates",
		"/v3/trusted-certificates/" + certificate.id(), "/v3/developer-certificates/" + certificate.id(),
		"/v3/server-credentials", "/v3/server-credentials/bootstrap", "/v3/server-credentials/lwm2m",
		"/v3/devices", "/v3/devices/" + device.DeviceID, "/v3/device-events", "/v3/devicelog", "/healthz", "/openapi.json",
	} {
		w.must(200, w.ask("GET", path, nil))
		w.must(200, w.ask("GET", path+"/", nil))
	}
	w.must(201, w.ask("POST", "/v3/developer-certificates/", map[string]string{"name": "second"}))
}

func TestHeadAnswersLikeGetWithoutBody(t *testing.T) {
	w := newWorld(t)
	if got := w.must(200, w.ask("HEAD", "/v3/devices", nil)); got.text != "" {
		t.Errorf("the body is %q", got.text)
	}
}

func TestOptionsAreWhatThePathTakes(t *testing.T) {
	w := newWorld(t)
	got := w.must(204, w.askAs("", "OPTIONS", "/v3/devices/", nil))
	if got.header.Get("Allow") != "GET, HEAD, POST, OPTIONS" || got.text != "" {
		t.Errorf("Allow is %q, the body %q", got.header.Get("Allow"), got.text)
	}
	checkFailure(t, w.ask("OPTIONS", "/v3/nothing", nil), 404, "404 Not Found")
}

func TestAPageOutOfRangeIsRefusedByTheAccountAndClampedByTheDirectory(t *testing.T) {
	w := newWorld(t)
	for _, limit := range []string{"1", "1001", "0", "-5"} {
		for _, path := range []string{"/v3/api-keys", "/v3/users", "/v3/policy-groups", "/v3/trusted-certificates", "/v3/accounts/me/notifications"} {
			checkFailure(t, w.ask("GET", path+"?limit="+limit, nil), 400, "400 Bad Request")
		}
		for _, path := range []string{"/v3/devices", "/v3/device-events", "/v3/devicelog", "/v3/device-groups", "/v3/device-queries"} {
			if got := w.must(200, w.ask("GET", path+"/?limit="+limit, nil)); got.at("limit") != 2.0 && got.at("limit") != 1000.0 {
				t.Errorf("%s with %s has the limit %v", path, limit, got.at("limit"))
			}
		}
	}
}

func TestAnyContentTypeIsReadAsJSON(t *testing.T) {
	w := newWorld(t)
	for i, kind := range []string{"", "application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain"} {
		request, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v3/api-keys", strings.NewReader(fmt.Sprintf(`{"name":"%d"}`, i)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+w.admin)
		request.Header["Content-Type"] = []string{kind}
		w.must(201, w.send(request))
	}
}

func TestListsWithoutPagesIgnoreWhereTheyWouldBegin(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v3/certificate-issuers", "/v3/certificate-issuer-configurations", "/v3/device-block-categories"} {
		all := w.must(200, w.ask("GET", path, nil))
		for _, query := range []string{"?limit=many&after=x", "?limit=2&after=" + strings.Repeat("f", 32)} {
			if got := w.must(200, w.ask("GET", path+query, nil)); got.text != all.text {
				t.Errorf("%s%s is answered %s", path, query, got.text)
			}
		}
	}
}

func TestASlashBeforeAPathThatBeginsWithOneIsNoOther(t *testing.T) {
	w := newWorld(t)
	w.must(200, w.ask("GET", "/v3//devices//", nil))
	missing := "0123456789abcdef0123456789abcdef"
	if got := w.must(404, w.ask("GET", "/v2/subscriptions/"+missing+"//3/0/13", nil)); got.text != "DEVICE_NOT_FOUND" {
		t.Errorf("version 2 says %q", got.text)
	}
	device := connectedDevice(w)
	for _, resource := range []string{"3/0/0", "/3/0/0/", "3%2F0%2F0", "%2F3%2F0//0"} {
		w.must(202, w.ask("GET", "/v2/endpoints/"+device.DeviceID+"/"+resource+"?anew", nil))
	}
}

func TestAPathThatLeadsUpIsNoPath(t *testing.T) {
	w := newWorld(t)
	for path, wanted := range map[string]string{"/v2/notification/../pull": "NOT_FOUND", "/v3/./devices": `"code":404`} {
		if got := w.must(404, w.ask("GET", path, nil)); !strings.Contains(got.text, wanted) {
			t.Errorf("%s is answered %s", path, got.text)
		}
	}
}

func TestSubscriptionsToADeletedDeviceAreGone(t *testing.T) {
	w := newWorld(t)
	w.must(204, w.ask("DELETE", "/v2/subscriptions/0123456789abcdef0123456789abcdef", nil))
}

func TestAByteOrderMarkIsNoPartOfABody(t *testing.T) {
	w := newWorld(t)
	w.must(201, w.ask("POST", "/v3/api-keys", "\xef\xbb\xbf{\"name\":\"x\"}"))
}

func TestRequestsWithoutAValidKeyAreRefused(t *testing.T) {
	w := newWorld(t)
	good := w.admin
	inactive := w.newKey(cloud.Developers)
	w.must(200, w.askAs(inactive, "PUT", "/v3/api-keys/me", map[string]string{"status": "INACTIVE"}))
	deleted := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "x"}))
	w.must(204, w.ask("DELETE", "/v3/api-keys/"+deleted.id(), nil))
	for name, header := range map[string]string{
		"nothing":        "",
		"no scheme":      good,
		"another scheme": "Basic " + good,
		"no key":         "Bearer ",
		"too short":      "Bearer " + good[:len(good)-1],
		"too long":       "Bearer " + good + "x",
		"wrong secret":   "Bearer " + good[:79] + strings.Repeat("A", 32),
		"public part":    "Bearer " + good[:79],
		"wrong account":  "Bearer ak_1" + strings.Repeat("A", 43) + good[47:],
		"unknown id":     "Bearer " + good[:47] + strings.Repeat("0", 32) + good[79:],
		"inactive":       "Bearer " + inactive,
		"deleted":        "Bearer " + fmt.Sprint(deleted.at("key")),
		"not ASCII":      "Bearer ключ",
	} {
		request, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v3/accounts/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header["Authorization"] = []string{header}
		got := w.send(request)
		checkFailure(t, got, 401, "401 Unauthorized")
		if got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: WWW-Authenticate is %q", name, got.header.Get("WWW-Authenticate"))
		}
	}
	request, _ := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v3/accounts/me", nil)
	request.Header.Set("Authorization", "bearer  "+good)
	w.must(200, w.send(request))
	if strings.Contains(w.log.String(), good[79:]) || strings.Contains(w.log.String(), inactive[79:]) {
		t.Error("the log holds a key's secret")
	}
}

func TestUnknownPathsNeedNoKey(t *testing.T) {
	w := newWorld(t)
	checkFailure(t, w.askAs("", "GET", "/v3/nothing", nil), 404, "404 Not Found")
	w.must(200, w.askAs("", "GET", "/healthz", nil))
}

func TestIdsInPathsMayHaveDashesAndUpperCase(t *testing.T) {
	w := newWorld(t)
	id := w.createCertificate("a").id()
	odd := strings.ToUpper(id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:])
	if got := w.must(200, w.ask("GET", "/v3/trusted-certificates/"+odd, nil)).id(); got != id {
		t.Errorf("found %s", got)
	}
}

func TestUnknownKeysAreIgnoredAndNullIsAbsent(t *testing.T) {
	w := newWorld(t)
	body := `{"name":"n","description":null,"later":{"x":[1]}}`
	got := w.must(201, w.ask("POST", "/v3/developer-certificates", body))
	if got.at("description") != "" {
		t.Errorf("the description is %v", got.at("description"))
	}
}

func TestWrongFieldsAreNamed(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ method, path, body, field string }{
		{"POST", "/v3/developer-certificates", `{"name":5}`, "name"},
		{"POST", "/v3/developer-certificates", `{}`, "name"},
		{"POST", "/v3/developer-certificates", `{"name":"  "}`, "name"},
		{"POST", "/v3/developer-certificates", `{"name":"` + strings.Repeat("ä", 101) + `"}`, "name"},
		{"POST", "/v3/developer-certificates", `{"name":"a\u0000b"}`, "name"},
		{"POST", "/v3/developer-certificates", `{"name":"a","description":"` + strings.Repeat("x", 501) + `"}`, "description"},
		{"POST", "/v3/api-keys", `{"name":"a","owner":"me"}`, "owner"},
		{"POST", "/v3/api-keys", `{"name":"a","groups":["0123456789abcdef0123456789abcdef"]}`, "groups"},
		{"GET", "/v3/devices?order=UP", ``, "order"},
		{"GET", "/v3/devices?limit=many", ``, "limit"},
		{"GET", "/v3/devices?after=x", ``, "after"},
		{"GET", "/v3/devices?created_at__lte=yesterday", ``, "created_at__lte"},
	} {
		got := w.ask(test.method, test.path, test.body)
		checkFailure(t, got, 400, "400 Bad Request")
		if got.at("fields.0.name") != test.field {
			t.Errorf("%s %s blames %v", test.path, test.body, got.at("fields"))
		}
	}
	w.must(201, w.ask("POST", "/v3/developer-certificates", `{"name":"`+strings.Repeat("ä", 100)+`"}`))
}

func TestTimesHaveSixDigitsOfFraction(t *testing.T) {
	w := newWorld(t)
	certificate := w.createCertificate("a")
	device := w.bootstrap(certificate)
	for path, fields := range map[string][]string{
		"/v3/accounts/me": {"created_at", "updated_at"},
		"/v3/api-keys/me": {"created_at", "updated_at"},
		"/v3/trusted-certificates/" + certificate.id():   {"created_at", "updated_at", "validity"},
		"/v3/developer-certificates/" + certificate.id(): {"created_at"},
		"/v3/server-credentials/lwm2m":                   {"created_at"},
		"/v3/devices/" + device.DeviceID:                 {"created_at", "updated_at", "bootstrapped_timestamp", "etag"},
		"/v3/device-events?device_id=" + device.DeviceID: {"data.0.date_time", "data.0.created_at", "data.0.etag"},
	} {
		got := w.must(200, w.ask("GET", path, nil))
		for _, field := range fields {
			if !wholeTime.MatchString(fmt.Sprint(got.at(field))) {
				t.Errorf("%s: %s is %v", path, field, got.at(field))
			}
		}
	}
}

func TestAFaultIsAnsweredWithoutItsDetails(t *testing.T) {
	w := newWorld(t)
	w.closeStore()
	got := w.ask("GET", "/v3/accounts/me", nil)
	checkFailure(t, got, 500, "500 Internal Server Error")
	if strings.Contains(got.text, "database") || strings.Contains(got.text, "sql") {
		t.Errorf("the answer tells %s", got.text)
	}
	logged := false
	for line := range strings.Lines(w.log.String()) {
		logged = logged || strings.Contains(line, "level=ERROR") && strings.Contains(line, fmt.Sprint(got.at("request_id")))
	}
	if !logged {
		t.Error("the log does not have the fault under its request id")
	}
}
