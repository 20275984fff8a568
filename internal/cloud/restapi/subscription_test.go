package restapi_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// reportingDevice is a registered device like the original client: it reports
// /10252/0/2 by itself and /3/0/13 on request, and cannot report of /3/0/0.
func reportingDevice(w *world) cloud.Identity {
	device := w.bootstrap(w.createCertificate("boards"))
	w.registerReporting(device)
	var handler coap.Handler = func(_ context.Context, request *coap.Request) *coap.Response {
		response := &coap.Response{Code: coap.Content, ContentFormat: new(uint16(0)), Payload: []byte("now")}
		if request.Observe != nil && *request.Observe == 0 {
			response.Observe = new(uint32(0))
			w.observed.Store(&request.Token)
		}
		return response
	}
	w.device.Store(&handler)
	return device
}

func (w *world) registerReporting(device cloud.Identity) {
	w.t.Helper()
	w.register(device,
		cloud.Link{Path: "/10252/0/2", Attributes: map[string]string{"aobs": "899"}},
		cloud.Link{Path: "/3/0/13", Attributes: map[string]string{"obs": ""}},
		cloud.Link{Path: "/3/0/0"})
}

// notify has a device report a value.
func (w *world) notify(device cloud.Identity, token []byte, number uint32, value string) {
	w.connect.Notified(w.t.Context(), device.DeviceID, token, &coap.Response{
		Code: coap.Content, Observe: &number, ContentFormat: new(uint16(0)), Payload: []byte(value),
	})
}

func TestASubscriptionIsMadeShownAndEnded(t *testing.T) {
	w := newWorld(t)
	device := reportingDevice(w)
	base := "/v2/subscriptions/" + device.DeviceID
	w.must(404, w.ask("GET", base, nil))
	w.must(404, w.ask("GET", base+"/3/0/13", nil))
	if got := w.must(200, w.ask("PUT", base+"/10252/0/2", nil)); got.text != "" {
		t.Errorf("200 has the body %q", got.text)
	}
	id := fmt.Sprint(w.must(202, w.ask("PUT", base+"/3/0/13", nil)).at("async-response-id"))
	if answer := w.answerTo(id); answer["status"] != 200.0 || payloadOf(t, answer) != "now" {
		t.Errorf("the subscription began with %v", answer)
	}
	w.notify(device, []byte{3, 0x83}, 2, "3")
	got := w.must(200, w.ask("GET", "/v2/notification/pull", nil))
	payload := base64.StdEncoding.EncodeToString([]byte("3"))
	wanted := fmt.Sprintf(`{"notifications":[{"ep":%q,"path":"/10252/0/2","ct":"text/plain","payload":%q,"max-age":"60"}]}`, device.DeviceID, payload)
	if strings.TrimSpace(got.text) != wanted {
		t.Errorf("notified of %s", got.text)
	}
	if cached := w.must(200, w.ask("GET", "/v2/endpoints/"+device.DeviceID+"/10252/0/2?cacheOnly=true", nil)); cached.text != "3" {
		t.Errorf("the cache has %q", cached.text)
	}
	list := w.must(200, w.ask("GET", base, nil))
	if list.text != "/10252/0/2\n/3/0/13" || list.header.Get("Content-Type") != "text/uri-list" {
		t.Errorf("listed as %s: %q", list.header.Get("Content-Type"), list.text)
	}
	w.must(200, w.ask("GET", base+"/3/0/13", nil))
	w.must(404, w.askAs(w.newKey(cloud.Developers), "GET", base+"/3/0/13", nil))
	w.must(204, w.ask("DELETE", base+"/3/0/13", nil))
	w.must(204, w.ask("DELETE", base+"/3/0/13", nil))
	w.must(404, w.ask("GET", base+"/3/0/13", nil))
	w.must(204, w.ask("DELETE", base, nil))
	w.must(404, w.ask("GET", base, nil))
}

func TestTheSDKForJavaScriptWaitsForTheDevice(t *testing.T) {
	w := newWorld(t)
	device := reportingDevice(w)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.url+"/v2/subscriptions/"+device.DeviceID+"/3/0/13", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.admin)
	request.Header.Set("User-Agent", "mbed-cloud-sdk-javascript / 1.0.0+dev")
	w.must(200, w.send(request))
}

func TestSubscriptionsEndWithARegistrationAndRulesDoNot(t *testing.T) {
	w := newWorld(t)
	device := reportingDevice(w)
	base := "/v2/subscriptions/" + device.DeviceID
	if got := w.must(200, w.ask("GET", "/v2/subscriptions", nil)); strings.TrimSpace(got.text) != "[]" {
		t.Errorf("no rules are %s", got.text)
	}
	w.must(200, w.ask("PUT", base+"/10252/0/2", nil))
	rules := `[{"endpoint-name":"` + device.DeviceID[:5] + `*","resource-path":["/3/*"]}]`
	w.must(204, w.ask("PUT", "/v2/subscriptions", rules))
	if got := w.must(200, w.ask("GET", "/v2/subscriptions", nil)); strings.TrimSpace(got.text) != rules {
		t.Errorf("the rules are %s", got.text)
	}
	w.registerReporting(device)
	if got := w.must(200, w.ask("GET", base, nil)); got.text != "/3/0/13" {
		t.Errorf("after a registration %q are subscribed to", got.text)
	}
	for w.observed.Load() == nil {
		w.must(204, w.ask("DELETE", "/v2/subscriptions/"+device.DeviceID+"/3/0/0", nil))
	}
	w.notify(device, *w.observed.Load(), 5, "five")
	for {
		if got := w.must(200, w.ask("GET", "/v2/notification/pull", nil)); strings.Contains(got.text, "Zml2ZQ==") {
			break
		}
	}
	w.must(204, w.ask("DELETE", "/v2/subscriptions", nil))
	w.registerReporting(device)
	w.must(404, w.ask("GET", base, nil))
}

func TestSubscriptionsAreRefusedWithABareWord(t *testing.T) {
	w := newWorld(t)
	device := reportingDevice(w)
	unregistered := w.bootstrap(w.createCertificate("others"))
	const base = "/v2/subscriptions/"
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		word         string
	}{
		{"PUT", base + device.DeviceID + "/3/0/0", nil, http.StatusPreconditionFailed, "NOT_OBSERVABLE"},
		{"PUT", base + device.DeviceID + "/3/0/9", nil, 404, "RESOURCE_NOT_FOUND"},
		{"PUT", base + unregistered.DeviceID + "/3/0/13", nil, 502, "DEVICE_NOT_CONNECTED"},
		{"PUT", base + "nothing/3/0/13", nil, 404, "DEVICE_NOT_FOUND"},
		{"GET", base + strings.Repeat("0", 32), nil, 404, "DEVICE_NOT_FOUND"},
		{"GET", base + unregistered.DeviceID, nil, 404, "SUBSCRIPTION_NOT_FOUND"},
		{"DELETE", base + strings.Repeat("0", 32) + "/3/0/0", nil, 404, "DEVICE_NOT_FOUND"},
		{"DELETE", base + device.DeviceID + "/3/0/9", nil, 404, "RESOURCE_NOT_FOUND"},
		{"DELETE", base + device.DeviceID + "/3/0/0", nil, 204, ""},
		{"DELETE", base + unregistered.DeviceID + "/3/0/9", nil, 204, ""},
		{"PUT", "/v2/subscriptions", "{}", 400, "BAD_REQUEST"},
		{"PUT", "/v2/subscriptions", `[{"resource-path":"/3"}]`, 400, "BAD_REQUEST"},
		{"PUT", "/v2/subscriptions", `[{"resource-path":[]}]`, 400, "BAD_REQUEST"},
		{"PUT", "/v2/subscriptions", "null", 400, "BAD_REQUEST"},
		{"PUT", "/v2/subscriptions", "[null]", 400, "BAD_REQUEST"}, // {} would subscribe to everything
		{"PUT", "/v2/subscriptions", `[{"endpoint-type":"a*"}]`, 400, "BAD_REQUEST"},
		{"PUT", "/v2/subscriptions", "[" + strings.Repeat("{},", 1024) + "{}]", 400, "BAD_REQUEST"},
		{"POST", "/v2/subscriptions", nil, 405, "METHOD_NOT_ALLOWED"},
	} {
		got := w.ask(c.method, c.path, c.body)
		if got.status != c.status || got.text != c.word {
			t.Errorf("%s %s %.50v: answered %s %q", c.method, c.path, c.body, got.line, got.text)
		}
	}
}

// FuzzPresubscriptions sends anything as rules. They are taken and given back
// so that they can be set again, or refused with one word.
func FuzzPresubscriptions(f *testing.F) {
	for _, seed := range []string{
		`[]`, `null`, `{}`, `[{}]`, `[{"endpoint-name":"a*","endpoint-type":"b","resource-path":["/3/*","*","3"]}]`,
		`[{"resource-path":null}]`, `[{"resource-path":[""]}]`, `[{"endpoint-name":"\u0000"}]`, `[null]`, "[{\"endpoint-type\":\"\xff\"}]",
	} {
		f.Add(seed)
	}
	w := newWorld(f)
	ask := func(method, body string) *httptest.ResponseRecorder {
		return w.record(httptest.NewRequest(method, "/v2/subscriptions", strings.NewReader(body)))
	}
	f.Fuzz(func(t *testing.T, rules string) {
		got := ask(http.MethodPut, rules)
		if got.Code == http.StatusBadRequest {
			return
		}
		kept := ask(http.MethodGet, "").Body.String()
		if again := ask(http.MethodPut, kept); got.Code != 204 || again.Code != 204 {
			t.Errorf("%q is answered %d, and again %d", rules, got.Code, again.Code)
		}
		if same := ask(http.MethodGet, "").Body.String(); same != kept {
			t.Errorf("%q became %s and then %s", rules, kept, same)
		}
	})
}
