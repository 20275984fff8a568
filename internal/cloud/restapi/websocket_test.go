package restapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mbl/internal/cloud"
)

// dial opens a websocket with a key, in the header or as a sub-protocol. It
// returns the status of the answer.
func (w *world) dial(key string, asProtocol bool) (conn *websocket.Conn, status int) {
	w.t.Helper()
	options := &websocket.DialOptions{HTTPHeader: http.Header{}}
	if asProtocol {
		options.Subprotocols = []string{"wss", "pelion_" + key}
	} else {
		options.HTTPHeader.Set("Authorization", "Bearer "+key)
	}
	conn, response, err := websocket.Dial(patience(w.t), w.url+"/v2/notification/websocket-connect", options)
	if response == nil {
		w.t.Fatal(err)
	}
	if err == nil {
		w.t.Cleanup(func() { _ = conn.CloseNow() })
	} else {
		response.Body.Close()
	}
	return conn, response.StatusCode
}

func (w *world) mustDial(key string) *websocket.Conn {
	w.t.Helper()
	conn, status := w.dial(key, false)
	if status != http.StatusSwitchingProtocols {
		w.t.Fatalf("answered %d", status)
	}
	return conn
}

func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// wantsClosed reads until the server closes, and checks the code.
func (w *world) wantsClosed(conn *websocket.Conn, code websocket.StatusCode) {
	w.t.Helper()
	for {
		if _, _, err := conn.Read(patience(w.t)); err != nil {
			if got := websocket.CloseStatus(err); got != code {
				w.t.Errorf("closed with %d instead of %d: %v", got, code, err)
			}
			return
		}
	}
}

// connected waits until the service has taken up a key's socket.
func (w *world) connected(key string) {
	w.t.Helper()
	ctx := patience(w.t)
	for w.must(200, w.askAs(key, "GET", "/v2/notification/websocket", nil)).at("status") != "connected" {
		if ctx.Err() != nil {
			w.t.Fatal("the socket is not connected")
		}
	}
}

func TestAWebsocketDeliversWhatComes(t *testing.T) {
	w := newWorld(t)
	device := reportingDevice(w)
	w.must(404, w.ask("GET", "/v2/notification/websocket", nil))
	for _, status := range []int{201, 200} {
		got := w.must(status, w.ask("PUT", "/v2/notification/websocket", nil))
		if got.at("status") != "disconnected" || got.at("queueSize") != 0.0 || got.at("queue_size") != 0.0 {
			t.Errorf("registered as %s", got.text)
		}
	}
	w.must(200, w.ask("PUT", "/v2/subscriptions/"+device.DeviceID+"/10252/0/2", nil))
	w.notify(device, []byte{3, 0x83}, 2, "before")
	if got := w.must(200, w.ask("GET", "/v2/notification/websocket", nil)); got.at("queueSize") != 1.0 {
		t.Errorf("one waits: %s", got.text)
	}
	conn, status := w.dial(w.admin, true)
	if status != http.StatusSwitchingProtocols || conn.Subprotocol() != "wss" {
		t.Fatalf("answered %d, chose %q", status, conn.Subprotocol())
	}
	if err := conn.Write(patience(t), websocket.MessageText, []byte("means nothing")); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"before", "after"} {
		kind, text, err := conn.Read(patience(t))
		if err != nil || kind != websocket.MessageText || !strings.HasPrefix(string(text), `{"notifications":[{"ep":"`+device.DeviceID) {
			t.Fatalf("%s: got %s, %v", value, text, err)
		}
		w.notify(device, []byte{3, 0x83}, 3, "after")
	}
	if got := w.must(200, w.ask("GET", "/v2/notification/websocket", nil)); got.at("status") != "connected" {
		t.Errorf("connected: %s", got.text)
	}
	if got := w.must(200, w.ask("GET", "/v2/notification/channel", nil)); got.at("delivery_mechanism") != "WEB_SOCKET" {
		t.Errorf("the channel is %s", got.text)
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func TestWebsocketsAreClosedWithTheirReason(t *testing.T) {
	w := newWorld(t)
	key := w.newKey(cloud.Developers)
	w.wantsClosed(w.mustDial(key), websocket.StatusInternalError) // no channel
	w.must(201, w.askAs(key, "PUT", "/v2/notification/websocket", `{"serialization":{"type":"v2"}}`))
	first := w.mustDial(key)
	w.connected(key)
	second := w.mustDial(key)
	w.wantsClosed(first, websocket.StatusGoingAway)
	w.must(204, w.askAs(key, "DELETE", "/v2/notification/websocket", nil))
	w.wantsClosed(second, websocket.StatusGoingAway)
	w.must(404, w.askAs(key, "DELETE", "/v2/notification/websocket", nil))
	w.must(201, w.askAs(key, "PUT", "/v2/notification/websocket", nil))
	third := w.mustDial(key)
	w.connected(key)
	id := w.must(200, w.askAs(key, "GET", "/v3/api-keys/me", nil)).id()
	w.must(204, w.ask("DELETE", "/v3/api-keys/"+id, nil))
	w.wantsClosed(third, websocket.StatusPolicyViolation)
	w.wantsClosed(w.mustDial(key), websocket.StatusPolicyViolation) // a deleted key
}

func TestOnlyWebsocketsAreUpgraded(t *testing.T) {
	w := newWorld(t)
	if got := w.must(426, w.ask("GET", "/v2/notification/websocket-connect", nil)); got.text != "UPGRADE_REQUIRED" ||
		got.header.Get("Upgrade") != "websocket" || got.header.Get("Connection") != "Upgrade" {
		t.Errorf("answered %q, %v", got.text, got.header)
	}
	w.wantsClosed(w.mustDial("ak_nothing"), websocket.StatusPolicyViolation)
}

// What a handshake lacks is said in a word, like all that is refused here.
func TestAHandshakeThatIsNoneIsRefused(t *testing.T) {
	w := newWorld(t)
	const nonce = "AAAAAAAAAAAAAAAAAAAAAA=="
	for _, c := range []struct {
		version, key string
		status       int
		word         string
	}{
		{"8", nonce, 426, "UPGRADE_REQUIRED"},
		{"", nonce, 400, "BAD_REQUEST"},
		{"13", "", 400, "BAD_REQUEST"},
		{"13", "AAAA", 400, "BAD_REQUEST"},
	} {
		request, err := http.NewRequestWithContext(patience(t), "GET", w.url+"/v2/notification/websocket-connect", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Authorization": "Bearer " + w.admin,
			"Sec-WebSocket-Version": c.version, "Sec-WebSocket-Key": c.key,
		} {
			if value != "" {
				request.Header.Set(name, value)
			}
		}
		got := w.must(c.status, w.send(request))
		if got.text != c.word {
			t.Errorf("version %q, key %q: answered %q", c.version, c.key, got.text)
		}
		if asked := got.header.Get("Sec-WebSocket-Version"); (asked == "13") != (c.status == 426) {
			t.Errorf("version %q: asked for version %q", c.version, asked)
		}
	}
}

// HTTP/2 forbids the header Connection: clients drop an answer that has it.
func TestOverHTTP2ANonUpgradeIsRefusedToo(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewUnstartedServer(w.api)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	request, err := http.NewRequestWithContext(patience(t), "GET", server.URL+"/v2/notification/websocket-connect", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := w.must(426, w.sendBy(server.Client(), request))
	if got.text != "UPGRADE_REQUIRED" || got.header.Get("Connection") != "" || got.header.Get("Upgrade") != "" {
		t.Errorf("answered %q, %v", got.text, got.header)
	}
}
