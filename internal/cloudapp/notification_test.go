package cloudapp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mbl/internal/coap"
)

// reporter is a device that reports one resource by itself and another one on
// request.
type reporter struct {
	t       *testing.T
	session *coap.Session
	tokens  chan []byte // of requests to observe
}

// comeOnline connects a device and sends what it says first.
func comeOnline(t *testing.T, device *account, first *coap.Request) (*reporter, *coap.Response) {
	t.Helper()
	r := &reporter{t: t, tokens: make(chan []byte, 10)}
	r.session = coap.NewSession(device.connectUDP(t), func(_ context.Context, request *coap.Request) *coap.Response {
		response := &coap.Response{Code: coap.Content, Payload: []byte("now")}
		if request.Observe != nil {
			response.Observe = request.Observe
			r.tokens <- request.Token
		}
		return response
	}, coap.SessionConfig{})
	go func() { _ = r.session.Serve(t.Context()) }()
	response, err := r.session.Do(limit(t), first)
	if err != nil {
		t.Fatal(err)
	}
	return r, response
}

func (r *reporter) notify(token []byte, number uint32, value string) {
	r.t.Helper()
	err := r.session.Notify(limit(r.t), &coap.Request{Code: coap.GET, Token: token}, &coap.Response{
		Code: coap.Content, Observe: &number, Payload: []byte(value),
	})
	if err != nil {
		r.t.Fatalf("%s was not taken: %v", value, err)
	}
}

// hook collects what a webhook is told of values, as "path value".
func hook(t *testing.T) (address string, values <-chan string) {
	t.Helper()
	told := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		var message struct {
			Notifications []struct{ Path, Payload string }
		}
		err := json.NewDecoder(request.Body).Decode(&message)
		if err != nil && !errors.Is(err, io.EOF) { // nothing is sent as a test
			t.Error(err)
		}
		for _, n := range message.Notifications {
			value, err := base64.StdEncoding.DecodeString(n.Payload)
			if err != nil {
				t.Error(err)
			}
			told <- n.Path + " " + string(value)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, told
}

func wantTold(t *testing.T, values <-chan string, wanted string) {
	t.Helper()
	ctx := limit(t)
	for {
		select {
		case value := <-values:
			if value == wanted {
				return
			}
			t.Logf("told of %s", value)
		case <-ctx.Done():
			t.Fatalf("not told of %s", wanted)
		}
	}
}

// A killed service goes on telling its webhook what devices report: they keep
// the tokens they have, and come back with an update.
func TestNotificationsGoOnAfterAKill(t *testing.T) {
	data := t.TempDir()
	flags := append(keptPorts(t), "--private-callbacks")
	r := serve(t, data, flags...)
	developer := r.developer("a")
	first := accountOf(t, developer)
	device := first.bootstrap(t, developer, first.connectUDP(t))
	address, values := hook(t)
	r.must("PUT", "/v2/notification/callback", `{"url":"`+address+`","headers":{"x":"s3cret"}}`, 204)
	r.must("PUT", "/v2/subscriptions", `[{"resource-path":["/10252/*","/3/0/13"]}]`, 204)

	register := registration(developer)
	register.Payload = []byte(`</10252/0/2>;aobs="899",</3/0/13>;obs`)
	online, registered := comeOnline(t, device, register)
	auto, asked := []byte{3, 0x83}, <-online.tokens
	wantTold(t, values, "/3/0/13 now")
	online.notify(auto, 2, "auto")
	wantTold(t, values, "/10252/0/2 auto")
	online.notify(asked, 2, "asked")
	wantTold(t, values, "/3/0/13 asked")

	key := r.key
	r.kill()
	r = serve(t, data, flags...)
	r.key = key
	online, updated := comeOnline(t, device, &coap.Request{Code: coap.POST, Path: registered.LocationPath})
	if updated.Code != coap.Changed {
		t.Fatalf("the update is answered %v", updated.Code)
	}
	online.notify(auto, 9, "auto again")
	wantTold(t, values, "/10252/0/2 auto again")
	online.notify(asked, 9, "asked again")
	wantTold(t, values, "/3/0/13 asked again")
	select {
	case again := <-online.tokens:
		if string(again) != string(asked) {
			t.Errorf("the observation was renewed as %x instead of %x", again, asked)
		}
	case <-time.After(30 * time.Second):
		t.Error("the observation was not renewed on the new session")
	}
	if got := r.must("GET", "/v2/notification/callback", "", 200); got["url"] != address {
		t.Errorf("the callback is %v", got)
	}
	r.stop()
}

// What waits in a channel is still there after the service was updated, say, and
// one start in between has failed.
func TestEventsWaitThroughARestart(t *testing.T) {
	data := t.TempDir()
	r := serve(t, data)
	developer := r.developer("a")
	first := accountOf(t, developer)
	device := first.bootstrap(t, developer, first.connectUDP(t))
	r.must("PUT", "/v2/notification/websocket", "", 201)
	comeOnline(t, device, registration(developer))
	key := r.key
	r.stop()
	taken, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if code, _, stderr := run(t, slices.Concat([]string{"serve", "--data", data}, anyPort, []string{"--lwm2m", taken.LocalAddr().String()})...); code != 1 {
		t.Fatalf("served on a port that is taken: exit code %d: %s", code, stderr)
	}
	r = serve(t, data)
	r.key = key
	if got := r.must("GET", "/v2/notification/websocket", "", 200); got["queue_size"] != 1.0 {
		t.Errorf("waiting are %v", got)
	}
	r.stop()
}

func TestWebhooksReachNoPrivateNetworkUnlessAllowed(t *testing.T) {
	r := serve(t, t.TempDir())
	address, _ := hook(t)
	body := strings.NewReader(`{"url":"` + address + `"}`)
	request, err := http.NewRequestWithContext(limit(t), http.MethodPut, r.addresses.HTTP+"/v2/notification/callback", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	word, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusBadRequest || string(word) != "CALLBACK_ADDRESS_NOT_ALLOWED" {
		t.Errorf("answered %s %s, %v", response.Status, word, err)
	}
	r.stop()
}
