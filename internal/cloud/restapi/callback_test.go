package restapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"mbl/internal/cloud"
)

// receiver is a client's server for callbacks.
type receiver struct {
	*httptest.Server
	status atomic.Int64
	got    chan string // method, header "who" and body
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: make(chan string, 100)}
	r.status.Store(http.StatusNoContent)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		r.got <- request.Method + " " + request.Header.Get("who") + " " + string(body)
		w.WriteHeader(int(r.status.Load()))
	}))
	t.Cleanup(r.Close)
	return r
}

func TestACallbackIsRegisteredShownDeliveredToAndDeleted(t *testing.T) {
	w := newWorld(t)
	device := reportingDevice(w)
	r := newReceiver(t)
	w.must(404, w.ask("GET", "/v2/notification/callback", nil))
	body := fmt.Sprintf(`{"url":%q,"headers":{"who":"s3cret"},"serialization":{"type":"v2","max_chunk_size":"100"}}`, r.URL+"/hook")
	w.must(204, w.ask("PUT", "/v2/notification/callback", body))
	if got := <-r.got; got != "PUT s3cret " {
		t.Errorf("tested with %q", got)
	}
	if got := w.must(200, w.ask("GET", "/v2/notification/callback", nil)); strings.TrimSpace(got.text) != body {
		t.Errorf("it is %s", got.text)
	}
	if got := w.must(200, w.ask("GET", "/v2/notification/channel", nil)); got.at("delivery_mechanism") != "CALLBACK" {
		t.Errorf("the channel is %s", got.text)
	}
	w.must(200, w.ask("PUT", "/v2/subscriptions/"+device.DeviceID+"/10252/0/2", nil))
	w.notify(device, []byte{3, 0x83}, 2, "3")
	if got := <-r.got; !strings.HasPrefix(got, `PUT s3cret {"notifications":[{"ep":"`+device.DeviceID+`","path":"/10252/0/2"`) {
		t.Errorf("delivered %q", got)
	}
	for _, word := range []string{"pull", "websocket"} {
		method := map[string]string{"pull": "GET", "websocket": "PUT"}[word]
		if got := w.must(400, w.ask(method, "/v2/notification/"+word, nil)); got.text != "CHANNEL_ALREADY_EXISTS" {
			t.Errorf("%s beside it: %q", word, got.text)
		}
	}
	w.must(404, w.askAs(w.newKey(cloud.Developers), "GET", "/v2/notification/callback", nil))
	w.wantsNoSecret("s3cret")
	w.must(204, w.ask("DELETE", "/v2/notification/callback", nil))
	w.must(404, w.ask("DELETE", "/v2/notification/callback", nil))
	w.must(404, w.ask("GET", "/v2/notification/channel", nil))
}

func TestACallbackIsJSON(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t)
	for kind, status := range map[string]int{
		"": 204, "application/json": 204, "Application/JSON; charset=utf-8": 204, "application/x-www-form-urlencoded": 204,
		"text/plain": 415, "application/xml": 415,
	} {
		request, err := http.NewRequestWithContext(t.Context(), "PUT", w.url+"/v2/notification/callback", strings.NewReader(fmt.Sprintf(`{"url":%q}`, r.URL)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+w.admin)
		request.Header["Content-Type"] = []string{kind}
		if got := w.must(status, w.send(request)); status == 415 && got.text != "UNSUPPORTED_MEDIA_TYPE" {
			t.Errorf("%s is answered %q", kind, got.text)
		}
	}
}

// wantsNoSecret looks for a secret in the log and in what is stored.
func (w *world) wantsNoSecret(secret string) {
	w.t.Helper()
	if strings.Contains(w.log.String(), secret) {
		w.t.Error("the log holds a secret")
	}
	files, err := filepath.Glob(w.database + "*")
	if err != nil || len(files) == 0 {
		w.t.Fatalf("no database: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			w.t.Fatal(err)
		}
		if strings.Contains(string(content), secret) {
			w.t.Errorf("%s holds a secret", filepath.Base(file))
		}
	}
}

func TestCallbacksThatCannotBeAreRefused(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t)
	r.status.Store(http.StatusCreated)
	for _, c := range []struct{ body, word string }{
		{fmt.Sprintf(`{"url":%q}`, r.URL), "CALLBACK_NOT_ACCESSIBLE"},
		{`{"url":"http://127.0.0.1:1"}`, "CALLBACK_NOT_ACCESSIBLE"},
		{fmt.Sprintf(`{"url":%q,"headers":{"a b":"c"}}`, r.URL), "BAD_REQUEST"},
		{fmt.Sprintf(`{"url":%q,"headers":{"a":"b\r\nc: d"}}`, r.URL), "BAD_REQUEST"},
		{`{}`, "BAD_REQUEST"},
		{`{"url":"here"}`, "BAD_REQUEST"},
		{`{"url":7}`, "BAD_REQUEST"},
		{fmt.Sprintf(`{"url":"%s/%s"}`, r.URL, strings.Repeat("a", 400)), "BAD_REQUEST"},
		{`not JSON`, "BAD_REQUEST"},
	} {
		if got := w.must(400, w.ask("PUT", "/v2/notification/callback", c.body)); got.text != c.word {
			t.Errorf("%.60s: %q", c.body, got.text)
		}
	}
	w.must(404, w.ask("GET", "/v2/notification/channel", nil))
}
