package cloudapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloudapi"
)

// busy refuses the first few requests, and counts all.
type busy struct {
	refusals, status int
	after            string
	asked            int
}

func (b *busy) serve(w http.ResponseWriter, _ *http.Request) {
	b.asked++
	if b.asked <= b.refusals {
		w.Header().Set("Retry-After", b.after)
		w.WriteHeader(b.status)
		return
	}
	fmt.Fprint(w, `{"id":"a"}`)
}

func TestABusyServiceIsAskedAgain(t *testing.T) {
	for _, status := range []int{429, 502, 503, 504} {
		service := &busy{refusals: 2, status: status, after: "0"}
		c := client(t, cloudapi.Config{BaseURL: serve(t, service.serve).URL, RetryPause: time.Millisecond})
		if _, err := c.CurrentAccount(t.Context()); err != nil || service.asked != 3 {
			t.Errorf("%d: asked %d times: %v", status, service.asked, err)
		}
	}
}

func TestAskingAgainHasAnEnd(t *testing.T) {
	tests := map[string]struct {
		service busy
		asked   int
		text    string
	}{
		"always busy":        {busy{status: 429, after: "0"}, 4, "429"},
		"wants us to wait":   {busy{status: 429, after: "3600"}, 1, "it asks to wait 1h0m0s"},
		"in words":           {busy{status: 503, after: "soon"}, 4, "503"},
		"is broken":          {busy{status: 500, after: "0"}, 1, "500"},
		"knows the key not":  {busy{status: 401}, 1, "401"},
		"until some century": {busy{status: 503, after: "Fri, 31 Dec 2199 23:59:59 GMT"}, 1, "it asks to wait"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.service.refusals = 100
			c := client(t, cloudapi.Config{BaseURL: serve(t, test.service.serve).URL, RetryPause: time.Millisecond})
			_, err := c.CurrentAccount(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.text) || test.service.asked != test.asked {
				t.Errorf("asked %d times: %v", test.service.asked, err)
			}
		})
	}
}

func TestWhatCreatesSomethingIsNotRepeated(t *testing.T) {
	service := &busy{refusals: 100, status: 503, after: "0"}
	c := client(t, cloudapi.Config{BaseURL: serve(t, service.serve).URL, RetryPause: time.Millisecond})
	if _, err := c.CreateDeveloperCertificate(t.Context(), "x", ""); !errors.Is(err, cloudapi.ErrUnavailable) || service.asked != 1 {
		t.Errorf("asked %d times: %v", service.asked, err)
	}
}
