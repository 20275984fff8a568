package restapi_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// askFrom asks with a key from one of loopback's many addresses.
func (w *world) askFrom(address, key, path string) reply {
	w.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, to)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(w.t.Context(), "GET", w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	return w.sendBy(&http.Client{Transport: transport}, request)
}

// tryKeys sends wrong keys from an address until they are refused unseen, and
// returns that answer.
func (w *world) tryKeys(address string) reply {
	w.t.Helper()
	for i := range 100 {
		got := w.askFrom(address, w.admin[:79]+fmt.Sprintf("%032d", i), "/v3/accounts/me")
		if got.status != 401 {
			return got
		}
	}
	w.t.Fatal("a hundred wrong keys were all looked at")
	return reply{}
}

func TestWhoTriesKeysIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	got := w.tryKeys("127.0.0.2")
	checkFailure(t, got, 429, "429 Too Many Requests")
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
	wrong := strings.Repeat("x", 111)
	w.must(401, w.askFrom("127.0.0.3", wrong, "/v3/accounts/me")) // another address
	if got := w.must(429, w.askFrom("127.0.0.2", wrong, "/v2/notification/channel")); got.text != "TOO_MANY_REQUESTS" {
		t.Errorf("version 2 says %q", got.text)
	}
	w.must(200, w.askFrom("127.0.0.2", w.newKey(cloud.Developers), "/v3/accounts/me")) // a right one, never seen before
	w.ahead.Add(int64(2 * time.Second))
	w.must(401, w.askFrom("127.0.0.2", wrong, "/v3/accounts/me")) // has waited
}

func TestRequestsWithoutAKeyAreNotTries(t *testing.T) {
	w := newWorld(t)
	for range 50 {
		w.must(401, w.askAs("", "GET", "/v3/accounts/me", nil))
	}
}

func TestAKeyThatWasRightIsATryOnceItIsWrong(t *testing.T) {
	w := newWorld(t)
	key := w.newKey(cloud.Developers)
	w.must(200, w.askFrom("127.0.0.2", key, "/v3/accounts/me"))
	w.must(204, w.ask("DELETE", "/v3/api-keys/"+key[47:79], nil))
	for range 100 {
		if got := w.askFrom("127.0.0.2", key, "/v3/accounts/me"); got.status == 429 {
			return
		}
	}
	t.Error("a deleted key is looked at for ever")
}
