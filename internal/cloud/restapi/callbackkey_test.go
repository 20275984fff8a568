package restapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"mbl/internal/cloud"
)

// A key that becomes void while its callback is tried must not keep it.
func TestAKeyVoidedWhileItsCallbackWasTriedKeptIt(t *testing.T) {
	for name, void := range map[string]func(w *world, path string) reply{
		"disabled": func(w *world, path string) reply {
			return w.must(200, w.ask("PUT", path, map[string]string{"status": "INACTIVE"}))
		},
		"reset":   func(w *world, path string) reply { return w.must(200, w.ask("POST", path+"/reset-secret", `{}`)) },
		"deleted": func(w *world, path string) reply { return w.must(204, w.ask("DELETE", path, nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			made := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "x"}))
			tried, goOn := make(chan struct{}), make(chan struct{})
			client := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				tried <- struct{}{}
				<-goOn
			}))
			defer client.Close()
			answered := make(chan reply, 1)
			go func() {
				answered <- w.askAs(fmt.Sprint(made.at("key")), "PUT", "/v2/notification/callback", map[string]string{"url": client.URL})
			}()
			<-tried
			void(w, "/v3/api-keys/"+made.id())
			close(goOn)
			w.must(401, <-answered)
			if kept, err := w.service.Channels(t.Context()); err != nil || len(kept) > 0 {
				t.Errorf("kept %+v, %v", kept, err)
			}
			if _, err := w.connect.Callback(cloud.Principal{KeyID: made.id()}); err == nil {
				t.Error("it is delivered to")
			}
		})
	}
}

func TestTheCallbackOfALeakedKeyOutlivedItsReset(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t)
	made := w.must(201, w.ask("POST", "/v3/api-keys", map[string]string{"name": "x"}))
	w.must(204, w.askAs(fmt.Sprint(made.at("key")), "PUT", "/v2/notification/callback", map[string]string{"url": r.URL}))
	fresh := fmt.Sprint(w.must(200, w.ask("POST", "/v3/api-keys/"+made.id()+"/reset-secret", `{}`)).at("key"))
	w.must(404, w.askAs(fresh, "GET", "/v2/notification/callback", nil))
	if kept, err := w.service.Channels(t.Context()); err != nil || len(kept) > 0 {
		t.Errorf("after a restart it comes back: %+v, %v", kept, err)
	}
	w.must(204, w.askAs(fresh, "PUT", "/v2/notification/callback", map[string]string{"url": r.URL}))
}
