package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestWhatIsTakenIsDelivered(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = strings.Join([]string{r.Method, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)}, " ")
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/201":
			w.WriteHeader(http.StatusCreated)
		case "/302":
			http.Redirect(w, r, "/204", http.StatusFound)
		}
	}))
	defer server.Close()
	client := New(true)
	for path, taken := range map[string]bool{"/": true, "/204": true, "/201": false, "/302": false} {
		err := client.Put(t.Context(), server.URL+path, map[string]string{"authorization": "let me in"}, []byte("{}"))
		if taken != (err == nil) || got != "PUT application/json let me in {}" {
			t.Errorf("%s: %v, sent %q", path, err, got)
		}
	}
	if err := client.Put(t.Context(), server.URL, nil, nil); err != nil || got != "PUT   " {
		t.Errorf("nothing: %v, sent %q", err, got)
	}
}

func TestThisMachineIsNotReachedUnlessAllowed(t *testing.T) {
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433"} {
		err := New(false).Put(t.Context(), "http://"+host+":"+port, nil, nil)
		if err == nil || reached {
			t.Errorf("%s: %v, reached: %v", host, err, reached)
		}
	}
	if err := New(false).Put(t.Context(), server.URL, nil, nil); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyThePublicInternetIsPublic(t *testing.T) {
	for address, wanted := range map[string]bool{
		"8.8.8.8:443": true, "[2606:4700::1111]:443": true, "172.32.0.1:80": true,
		"10.1.2.3:80": false, "172.16.0.1:80": false, "192.168.1.1:80": false, "169.254.169.254:80": false, "127.0.0.2:80": false,
		"100.64.0.1:80": false, "0.1.2.3:80": false, "255.255.255.255:80": false, "224.0.0.1:80": false,
		"[::1]:80": false, "[::]:80": false, "[fe80::1%eth0]:80": false, "[fd00::1]:80": false, "[::ffff:10.0.0.1]:80": false,
		"[64:ff9b::10.0.0.1]:80": false, "[2002:a00:1::1]:80": false, "[ff02::1]:80": false, "[::7f00:1]:80": false,
		"example.com:80": false,
	} {
		if err := checkPublic(address); wanted != (err == nil) || err != nil && !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, network := range specialNetworks() {
		if public(network.Addr()) {
			t.Errorf("%s is public", network)
		}
	}
	if !public(netip.MustParseAddr("1.1.1.1")) {
		t.Error("1.1.1.1 is not public")
	}
}

// An address may hold a secret, which belongs into no log.
func TestErrorsDoNotHoldTheAddress(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL + "/s3cret?token=s3cret"
	client := New(true)
	ended, end := context.WithCancel(t.Context())
	end()
	errs := []error{
		client.Put(t.Context(), address, nil, nil),
		client.Put(t.Context(), address, map[string]string{"x": "s3cret\n"}, nil),
		client.Put(ended, address, nil, nil),
		client.Put(t.Context(), "http://s3cret\x00/", nil, nil),
		New(false).Put(t.Context(), address, nil, nil),
	}
	server.Close()
	errs = append(errs, client.Put(t.Context(), address, nil, nil))
	for i, err := range errs {
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%d: %v", i, err)
		}
	}
}
