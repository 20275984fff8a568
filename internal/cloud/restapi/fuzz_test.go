package restapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mbl/internal/cloud"
)

// FuzzBodies sends anything as the body of the requests that have one. Every
// answer is JSON, none is a fault of the service.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a","description":"b"}`, `{"name":null}`, `{"name":5}`, `[]`, `null`, ``, `{"name":"\ud800"}`, `{"groups":[null]}`,
		`{"name":"a","query":"id=1"}`, `{"device_id":"0123456789abcdef0123456789abcdef"}`, `["0123456789abcdef0123456789abcdef"]`, `{"apikeys":[null]}`,
		`{"password_policy":{},"custom_fields":null,"aliases":[""]}`, `{"device_execution_mode":1e99,"bootstrap_expiration_date":"0000-01-01"}`,
		`{"custom_attributes":{"a":"b"}}`, `{"custom_attributes":{"":""}}`, `{"status":"INACTIVE","owner":"x"}`, "\x00", `{"name":"a"}}`,
		strings.Repeat(`{"a":`, 2000),
	} {
		f.Add(seed)
	}
	w := newWorldWith(f, cloud.Limits{})
	device := w.bootstrap(w.createCertificate("first"))
	group := w.must(201, w.ask("POST", "/v3/device-groups", map[string]string{"name": "first"})).id()
	f.Fuzz(func(t *testing.T, body string) {
		for _, row := range []struct{ method, path string }{
			{"POST", "/v3/developer-certificates"},
			{"POST", "/v3/api-keys"},
			{"PUT", "/v3/devices/" + device.DeviceID},
			{"POST", "/v3/devices"},
			{"POST", "/v3/device-groups"},
			{"PUT", "/v3/device-groups/" + group},
			{"POST", "/v3/device-groups/" + group + "/devices/add"},
			{"POST", "/v3/device-queries"},
			{"PUT", "/v3/accounts/me"},
			{"POST", "/v3/api-keys/me/groups"},
			{"DELETE", "/v3/policy-groups/" + group + "/api-keys"},
		} {
			request := httptest.NewRequest(row.method, row.path, strings.NewReader(body))
			if got := w.record(request); got.Code >= 500 || (got.Code != http.StatusNoContent && !json.Valid(got.Body.Bytes())) {
				t.Errorf("%s %s with %q is answered %d: %s", row.method, row.path, body, got.Code, got.Body)
			}
		}
	})
}

// FuzzQueries asks for a list with any query string.
func FuzzQueries(f *testing.F) {
	for _, seed := range []string{
		"limit=2&order=DESC&after=0123456789abcdef0123456789abcdef", "filter=state__eq%3Dregistered%26id__in%3Da%2Cb",
		"custom_attributes__eq=%7B%22a%22%3A%22b%22%7D", "custom_attributes__a__nin=1", "created_at__lte=2019-01-01T00:00:00Z", "%", "&&=;",
		"filter=filter=filter", "name__in=,,,", "name__eq=%00", "created_at__in=9999-12-31,0000-01-01", "etag__eq=0001-01-01T00:00:00Z",
	} {
		f.Add(seed)
	}
	w := newWorld(f)
	group := w.must(201, w.ask("POST", "/v3/device-groups", map[string]string{"name": "first"})).id()
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/v3/devices", "/v3/trusted-certificates", "/v3/device-events", "/v3/api-keys", "/v3/device-groups", "/v3/device-groups/" + group + "/devices", "/v3/device-queries", "/v3/users", "/v3/policy-groups"} {
			request := httptest.NewRequest(http.MethodGet, path, nil)
			request.URL.RawQuery = query
			if got := w.record(request); got.Code != 200 && got.Code != 400 {
				t.Errorf("%s?%s is answered %d: %s", path, query, got.Code, got.Body)
			}
		}
	})
}

// record answers a request with the administrator's key, without a network.
func (w *world) record(request *http.Request) *httptest.ResponseRecorder {
	request.Header.Set("Authorization", "Bearer "+w.admin)
	recorder := httptest.NewRecorder()
	w.api.ServeHTTP(recorder, request)
	return recorder
}
