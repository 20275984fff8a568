package restapi_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/cloud/restapi"
	"mbl/internal/cloud/store"
	"mbl/internal/coap"
	"mbl/internal/pki"
	"mbl/internal/sealed"
	"mbl/internal/webhook"
)

// world is a service on a real database behind a real HTTP server.
type world struct {
	t       testing.TB
	service *cloud.Service
	connect *connect.Service
	device  atomic.Pointer[coap.Handler] // answers requests to devices; nil: none is connected

	observed atomic.Pointer[[]byte] // token of the latest request to observe
	api      http.Handler
	url      string
	admin    string // API key text
	log      *bytes.Buffer
	ahead    atomic.Int64 // how far the service's clock is ahead
	opened   *store.Store
	database string // file
}

// emptyDatabase is a database file with its tables, made once: making them is
// most of what a small test costs.
var emptyDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "restapi-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "empty.db")
	opened, err := store.OpenSQLite(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := opened.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func newWorld(t testing.TB) *world { return newWorldWith(t, cloud.DefaultLimits()) }

func newWorldWith(t testing.TB, limits cloud.Limits) *world {
	t.Helper()
	w := &world{t: t, log: &bytes.Buffer{}}
	w.database = filepath.Join(t.TempDir(), "test.db")
	empty, err := emptyDatabase()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.database, empty, 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := store.OpenSQLite(t.Context(), w.database)
	if err != nil {
		t.Fatal(err)
	}
	w.opened = opened
	key, err := sealed.NewKey(sealed.Generate())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.service = cloud.New(cloud.Config{Store: opened, SealKey: key, Limits: limits, Now: w.now, Log: log})
	if _, err := w.service.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.service.UseServers(cloud.Servers{Bootstrap: "devices.example:5684", LwM2M: "devices.example:5685"})
	w.admin = w.newKey(cloud.Administrators)
	w.connect = connect.New(connect.Config{
		Directory: w.service, Devices: w, Memory: w.service, Callbacks: webhook.New(true), Limits: connect.DefaultLimits(), Now: w.now, Log: log,
	})
	w.service.UseWatcher(w.connect)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.connect.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	w.api = restapi.New(restapi.Config{Service: w.service, Connect: w.connect, Log: log, Now: w.now})
	server := httptest.NewServer(w.api)
	w.url = server.URL
	t.Cleanup(func() {
		stop()
		running.Wait()
		server.Close()
		w.closeStore()
	})
	return w
}

// Do implements connect.Devices.
func (w *world) Do(ctx context.Context, _ string, request *coap.Request) (*coap.Response, error) {
	handler := w.device.Load()
	if handler == nil {
		return nil, cloud.ErrNotConnected
	}
	return (*handler)(ctx, request), nil
}

// Session implements connect.Devices.
func (w *world) Session(string) uint64 {
	if w.device.Load() == nil {
		return 0
	}
	return 1
}

// closeStore closes the database; whatever needs it then fails.
func (w *world) closeStore() {
	if err := w.opened.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) newKey(role cloud.Role) string {
	w.t.Helper()
	text, err := w.service.IssueAPIKey(w.t.Context(), "test", role)
	if err != nil {
		w.t.Fatal(err)
	}
	return text.Reveal()
}

// reply is an answer as a client sees it.
type reply struct {
	status int
	line   string // "404 Not Found"
	header http.Header
	text   string
	body   map[string]any
}

func (r reply) at(path string) any {
	var value any = r.body
	for _, name := range strings.Split(path, ".") {
		if list, ok := value.([]any); ok {
			var index int
			fmt.Sscan(name, &index)
			if index >= len(list) {
				return nil
			}
			value = list[index]
			continue
		}
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

func (r reply) id() string { return fmt.Sprint(r.at("id")) }

// ask sends a request with the administrator's key. body is sent as it is if
// it is a string, else as JSON.
func (w *world) ask(method, path string, body any) reply { return w.askAs(w.admin, method, path, body) }

func (w *world) askAs(key, method, path string, body any) reply {
	w.t.Helper()
	text, isText := body.(string)
	if !isText && body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(encoded)
	}
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	return w.send(request)
}

func (w *world) send(request *http.Request) reply {
	w.t.Helper()
	return w.sendBy(&http.Client{}, request)
}

func (w *world) sendBy(client *http.Client, request *http.Request) reply {
	w.t.Helper()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	got := reply{status: response.StatusCode, line: response.Status, header: response.Header, text: string(text)}
	isJSON := strings.HasPrefix(got.header.Get("Content-Type"), "application/json")
	if err := json.Unmarshal(text, &got.body); err != nil && len(text) > 0 && isJSON && text[0] != '[' {
		w.t.Errorf("%s %s answers no JSON object: %q", request.Method, request.URL, text)
	}
	return got
}

// must fails the test unless an answer has a status.
func (w *world) must(status int, got reply) reply {
	w.t.Helper()
	if got.status != status {
		w.t.Fatalf("answered %s instead of %d: %s", got.line, status, got.text)
	}
	return got
}

func (w *world) createCertificate(name string) reply {
	w.t.Helper()
	return w.must(201, w.ask("POST", "/v3/developer-certificates", map[string]string{"name": name}))
}

func parsePEM(t testing.TB, text any) *x509.Certificate {
	t.Helper()
	der, err := pki.DecodeCertificatePEM([]byte(fmt.Sprint(text)))
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := pki.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// bootstrap takes a device through bootstrap with a developer certificate as
// the REST API answered it, and returns its identity.
func (w *world) bootstrap(certificate reply) cloud.Identity {
	w.t.Helper()
	presented := parsePEM(w.t, certificate.at("developer_certificate"))
	grant, err := w.service.Bootstrap(w.t.Context(), cloud.BootstrapRequest{
		Certificate: presented, EndpointName: presented.Subject.CommonName, AccountID: fmt.Sprint(certificate.at("account_id")),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.service.BootstrapFinished(w.t.Context(), grant); err != nil {
		w.t.Fatal(err)
	}
	issued, err := pki.ParseCertificate(grant.DeviceCertificate)
	if err != nil {
		w.t.Fatal(err)
	}
	device, err := w.service.RecognizeDevice(w.t.Context(), issued)
	if err != nil {
		w.t.Fatal(err)
	}
	return device
}

func (w *world) register(device cloud.Identity, links ...cloud.Link) {
	w.t.Helper()
	_, err := w.service.Register(w.t.Context(), device, cloud.Registration{
		EndpointName: device.EndpointName, EndpointType: "default", Lifetime: time.Hour, Links: links,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
