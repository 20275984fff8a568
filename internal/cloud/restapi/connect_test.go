package restapi_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/coap"
)

// connectedDevice is a registered device whose /3/0/0 reads "maker" and whose
// /1/0/1 takes what is written; everything else is 4.04.
func connectedDevice(w *world) cloud.Identity {
	device := w.bootstrap(w.createCertificate("boards"))
	w.register(device,
		cloud.Link{Path: "/3/0/0", Attributes: map[string]string{"rt": "text"}},
		cloud.Link{Path: "/3/0/4"},
		cloud.Link{Path: "/1/0/1", Attributes: map[string]string{"obs": ""}},
		cloud.Link{Path: "/3/0/9"})
	var handler coap.Handler = func(_ context.Context, request *coap.Request) *coap.Response {
		switch strings.Join(request.Path, "/") + " " + request.Code.String() {
		case "3/0/0 GET":
			format := uint16(0)
			return &coap.Response{Code: coap.Content, ContentFormat: &format, Payload: []byte("maker")}
		case "1/0/1 PUT", "3/0/4 POST":
			return &coap.Response{Code: coap.Changed}
		default:
			return &coap.Response{Code: coap.NotFound}
		}
	}
	w.device.Store(&handler)
	return device
}

// answerTo polls until the answer to a request comes.
func (w *world) answerTo(id string) map[string]any {
	w.t.Helper()
	for {
		got := w.ask("GET", "/v2/notification/pull", nil)
		w.must(200, got)
		for i := 0; got.at(fmt.Sprintf("async-responses.%d", i)) != nil; i++ {
			if one := got.at(fmt.Sprintf("async-responses.%d", i)).(map[string]any); one["id"] == id {
				return one
			}
		}
	}
}

func payloadOf(t *testing.T, answer map[string]any) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(fmt.Sprint(answer["payload"]))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func TestADeviceIsReadWrittenAndExecutedThroughTheChannel(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	for i, c := range []struct {
		body    map[string]string
		status  float64
		payload string
	}{
		{map[string]string{"method": "GET", "uri": "/3/0/0"}, 200, "maker"},
		{map[string]string{"method": "PUT", "uri": "/1/0/1", "content-type": "text/plain", "payload-b64": "NjA="}, 200, ""},
		{map[string]string{"method": "POST", "uri": "/3/0/4"}, 200, ""},
		{map[string]string{"method": "GET", "uri": "/3/0/9"}, 404, ""},
	} {
		id := fmt.Sprintf("request-%d", i)
		got := w.must(202, w.ask("POST", "/v2/device-requests/"+device.DeviceID+"?async-id="+id, c.body))
		if got.text != "" {
			t.Errorf("202 has the body %q", got.text)
		}
		answer := w.answerTo(id)
		if answer["status"] != c.status || payloadOf(t, answer) != c.payload {
			t.Errorf("%v: answered %v", c.body, answer)
		}
	}
}

func TestWhoLooksForEventsTakesNone(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	w.must(202, w.ask("POST", "/v2/device-requests/"+device.DeviceID+"?async-id=a", map[string]string{"method": "GET", "uri": "/3/0/0"}))
	if got := w.must(200, w.ask("HEAD", "/v2/notification/pull", nil)); got.text != "" {
		t.Errorf("HEAD has the body %q", got.text)
	}
	if answer := w.answerTo("a"); payloadOf(t, answer) != "maker" {
		t.Errorf("afterwards there is %v", answer)
	}
}

func TestAResourceIsReadByItsPath(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	path := "/v2/endpoints/" + device.DeviceID + "/3/0/0"
	if got := w.ask("GET", path+"?cacheOnly=true", nil); got.status != http.StatusResetContent {
		t.Errorf("before any reading the cache answers %s", got.line)
	}
	got := w.must(202, w.ask("GET", path, nil))
	answer := w.answerTo(fmt.Sprint(got.at("async-response-id")))
	if payloadOf(t, answer) != "maker" || answer["ct"] != "text/plain" || answer["max-age"] != "60" {
		t.Errorf("answered %v", answer)
	}
	if got := w.must(200, w.ask("GET", path+"?cacheOnly=true", nil)); got.text != "maker" {
		t.Errorf("the cache has %q", got.text)
	}
	if got := w.must(200, w.ask("GET", path, nil)); got.text != "maker" || got.header.Get("Content-Type") != "text/plain" {
		t.Errorf("what is still good is answered as %s %q", got.header.Get("Content-Type"), got.text)
	}
	w.ahead.Store(int64(61 * time.Second))
	w.must(202, w.ask("GET", path, nil))
	w.ahead.Store(0)
	w.must(204, w.ask("PUT", "/v2/endpoints/"+device.DeviceID+"/1/0/1?noResp=true", "60"))
}

// Programs write truth as their language does.
func TestFlagsAreReadInEverySpelling(t *testing.T) {
	w := newWorld(t)
	path := "/v2/endpoints/" + connectedDevice(w).DeviceID
	for _, yes := range []string{"true", "True", "TRUE", "1"} {
		if got := w.ask("GET", path+"/3/0/0?cacheOnly="+yes, nil); got.status != http.StatusResetContent {
			t.Errorf("cacheOnly=%s is answered %s", yes, got.line)
		}
		w.must(204, w.ask("PUT", path+"/1/0/1?noResp="+yes, "60"))
		w.must(204, w.ask("GET", path+"/3/0/9?noResp="+yes, nil))
	}
	for _, no := range []string{"false", "False", "0", ""} {
		w.must(202, w.ask("PUT", path+"/1/0/1?noResp="+no, "60"))
		w.must(202, w.ask("GET", path+"/3/0/9?cacheOnly="+no, nil))
	}
	for _, request := range []struct{ method, path string }{
		{"GET", "/3/0/0?cacheOnly=maybe"}, {"GET", "/3/0/0?noResp=maybe"}, {"PUT", "/1/0/1?noResp=2"},
	} {
		if got := w.must(400, w.ask(request.method, path+request.path, nil)); got.text != "BAD_REQUEST" {
			t.Errorf("%s is answered %q", request.path, got.text)
		}
	}
}

func TestResourcesAreListedFromTheRegistration(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	w.device.Store(nil)
	got := w.must(200, w.ask("GET", "/v2/endpoints/"+device.DeviceID, nil))
	for _, wanted := range []string{`{"uri":"/3/0/0","rt":"text","obs":false}`, `{"uri":"/1/0/1","obs":true}`} {
		if !strings.Contains(got.text, wanted) {
			t.Errorf("%s lacks %s", got.text, wanted)
		}
	}
}

func TestVersionTwoRefusesWithABareWord(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	unregistered := w.bootstrap(w.createCertificate("others"))
	requests, endpoints := "/v2/device-requests/"+device.DeviceID, "/v2/endpoints/"
	get := map[string]string{"method": "GET", "uri": "/3/0/0"}
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		word         string
	}{
		{"POST", requests + "?async-id=a", map[string]string{"method": "GET", "uri": "/3/0/999"}, 400, "RESOURCE_NOT_FOUND"},
		{"POST", requests + "?async-id=a", map[string]string{"method": "PATCH", "uri": "/3/0/0"}, 400, "MALFORMED_JSON_CONTENT"},
		{"POST", requests + "?async-id=a", "{", 400, "MALFORMED_JSON_CONTENT"},
		{"POST", requests + "?async-id=a", map[string]string{"method": "GET"}, 400, "MALFORMED_JSON_CONTENT"},
		{"POST", requests + "?async-id=a", map[string]string{"uri": "/3/0/0"}, 400, "MALFORMED_JSON_CONTENT"},
		{"POST", requests + "?async-id=a", map[string]string{"method": "PUT", "uri": "/1/0/1", "payload-b64": "!"}, 400, "MALFORMED_JSON_CONTENT"},
		{"POST", requests + "?async-id=a", map[string]string{"method": "GET", "uri": "/3/0/0?" + strings.Repeat("a", 256)}, 400, "MALFORMED_JSON_CONTENT"},
		{"POST", requests + "?async-id=a", map[string]string{"method": "GET", "uri": "/3/0/0?" + strings.Repeat("a=b&", 171)}, 400, "MALFORMED_JSON_CONTENT"},
		{"GET", endpoints + device.DeviceID + "/3/0/0?" + strings.Repeat("a=b&", 171), nil, 400, "BAD_REQUEST"},
		{"POST", requests + "?async-id=a", map[string]string{"method": "GET", "uri": "/3/0/0?" + strings.Repeat("a=b&", 170) + "a"}, 202, ""},
		{"POST", requests + "?async-id=a&retry=11", get, 400, "MALFORMED_JSON_CONTENT"},
		{"POST", requests + "?async-id=a&expiry-seconds=59", get, 400, "MALFORMED_JSON_CONTENT"},
		{"POST", requests + "?async-id=a&expiry-seconds=0", get, 400, "MALFORMED_JSON_CONTENT"},
		{"POST", requests, get, 400, "MALFORMED_ASYNC_ID"},
		{"POST", requests + "?async-id=a%20b", get, 400, "MALFORMED_ASYNC_ID"},
		{"POST", "/v2/device-requests/" + strings.Repeat("0", 32) + "?async-id=a", get, 404, "DEVICE_NOT_FOUND"},
		{"POST", "/v2/device-requests/" + unregistered.DeviceID + "?async-id=a", get, 400, "DEVICE_NOT_CONNECTED"},
		{"GET", endpoints + unregistered.DeviceID + "/3/0/0", nil, 429, "DEVICE_NOT_CONNECTED"},
		{"GET", endpoints + unregistered.DeviceID, nil, 404, "DEVICE_NOT_FOUND"},
		{"GET", endpoints + device.DeviceID + "/5/0/0", nil, 404, "RESOURCE_NOT_FOUND"},
		{"GET", endpoints + "nothing", nil, 404, "DEVICE_NOT_FOUND"},
		{"GET", "/v2/notification/callback", nil, 404, "CHANNEL_NOT_FOUND"},
		{"GET", "/v2/notification/channel", nil, 404, "CHANNEL_NOT_FOUND"},
		{"PUT", "/v2/notification/pull", nil, 405, "METHOD_NOT_ALLOWED"},
		{"GET", "/v2/nothing", nil, 404, "NOT_FOUND"},
	} {
		got := w.ask(c.method, c.path, c.body)
		if got.status != c.status || got.text != c.word {
			t.Errorf("%s %s %v: answered %s %q", c.method, c.path, c.body, got.line, got.text)
		}
	}
	if got := w.askAs("", "GET", "/v2/notification/pull", nil); got.status != 401 || got.text != "UNAUTHORIZED" {
		t.Errorf("without a key: %s %q", got.line, got.text)
	}
}

func TestASleepingDeviceIsNotAskedWithoutAnAnswer(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	_, err := w.service.Register(t.Context(), device, cloud.Registration{EndpointName: device.EndpointName, Binding: "UQ", Links: []cloud.Link{{Path: "/1/0/1"}}})
	if err != nil {
		t.Fatal(err)
	}
	got := w.ask("PUT", "/v2/endpoints/"+device.DeviceID+"/1/0/1?noResp=true", "60")
	if got.status != http.StatusConflict || got.text != "NON_CONFIRMABLE_NOT_SUPPORTED" {
		t.Errorf("answered %s %q", got.line, got.text)
	}
}

func TestADeviceWithoutASessionIsToldOfThroughTheChannel(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	w.device.Store(nil)
	w.must(202, w.ask("POST", "/v2/device-requests/"+device.DeviceID+"?async-id=gone", map[string]string{"method": "GET", "uri": "/3/0/0"}))
	if answer := w.answerTo("gone"); answer["status"] != 503.0 || answer["error"] != "NOT_CONNECTED" {
		t.Errorf("answered %v", answer)
	}
}

func TestChannelIsMadeByAPollAndDeletedOnce(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	w.must(202, w.ask("POST", "/v2/device-requests/"+device.DeviceID+"?async-id=one", map[string]string{"method": "GET", "uri": "/3/0/0"}))
	w.answerTo("one") // was kept for the first poll
	if got := w.must(200, w.ask("GET", "/v2/notification/channel", nil)); got.at("delivery_mechanism") != "LONG_POLLING" {
		t.Errorf("the channel is %s", got.text)
	}
	for _, word := range []string{"REMOVED", "ALREADY_DELETED"} {
		if got := w.must(200, w.ask("DELETE", "/v2/notification/pull", nil)); got.text != word {
			t.Errorf("answered %q instead of %q", got.text, word)
		}
	}
	w.must(404, w.ask("GET", "/v2/notification/channel", nil))
}

func TestAnotherKeyGetsRegistrationsButNobodyElsesAnswers(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	other := w.newKey(cloud.Administrators)
	get := map[string]string{"method": "GET", "uri": "/3/0/0"}
	w.must(202, w.askAs(other, "POST", "/v2/device-requests/"+device.DeviceID+"?async-id=theirs", get))
	w.must(202, w.ask("POST", "/v2/device-requests/"+device.DeviceID+"?async-id=mine", get))
	w.answerTo("mine")
	w.register(device)
	got := w.must(200, w.ask("GET", "/v2/notification/pull", nil))
	if got.at("registrations.0.ep") != device.DeviceID || strings.Contains(got.text, "theirs") {
		t.Errorf("got %s", got.text)
	}
}

func TestADeletedDeviceLeavesTheChannels(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	w.must(202, w.ask("POST", "/v2/device-requests/"+device.DeviceID+"?async-id=open", map[string]string{"method": "GET", "uri": "/3/0/0"}))
	w.answerTo("open")
	w.must(204, w.ask("DELETE", "/v3/devices/"+device.DeviceID, nil))
	if got := w.must(200, w.ask("GET", "/v2/notification/pull", nil)); got.at("de-registrations.0") != device.DeviceID {
		t.Errorf("got %s", got.text)
	}
}

func TestADeliveryThatFailsIsKept(t *testing.T) {
	w := newWorld(t)
	device := connectedDevice(w)
	w.must(202, w.ask("POST", "/v2/device-requests/"+device.DeviceID+"?async-id=lost", map[string]string{"method": "GET", "uri": "/3/0/0"}))
	request, err := http.NewRequestWithContext(t.Context(), "GET", "/v2/notification/pull", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.admin)
	w.api.ServeHTTP(brokenWriter{http.Header{}}, request)
	w.answerTo("lost")
}

// brokenWriter is a client that has gone away.
type brokenWriter struct{ header http.Header }

func (b brokenWriter) Header() http.Header { return b.header }

func (brokenWriter) WriteHeader(int) {}

func (brokenWriter) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }

var _ connect.Devices = (*world)(nil)

// FuzzDeviceRequests sends anything as a request to a connected device. It is
// accepted, or refused with one word.
func FuzzDeviceRequests(f *testing.F) {
	for _, seed := range []string{
		`{"method":"GET","uri":"/3/0/0"}`, `{"method":"PUT","uri":"3/0/0?pmin=1&&pmax","payload-b64":"YQ==","content-type":"text/plain"}`,
		`{"method":"get","uri":"/3/","accept":"11542"}`, `{"method":null,"uri":null}`, `{"uri":"//"}`, `[]`, `null`, "\x00",
		`{"method":"GET","uri":"/3/0/0","accept":"99999"}`,
	} {
		f.Add(seed)
	}
	w := newWorld(f)
	device := connectedDevice(w)
	word := regexp.MustCompile(`^[A-Z_]*$`)
	f.Fuzz(func(t *testing.T, body string) {
		request := httptest.NewRequest(http.MethodPost, "/v2/device-requests/"+device.DeviceID+"?async-id=a", strings.NewReader(body))
		got := w.record(request)
		if (got.Code != 202 && got.Code != 400) || !word.MatchString(got.Body.String()) {
			t.Errorf("%q is answered %d: %s", body, got.Code, got.Body)
		}
	})
}
