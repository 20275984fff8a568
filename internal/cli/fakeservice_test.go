package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mbl/internal/credential"
	"mbl/internal/pki"
)

// fakeService answers as a Device Management service with three certificates
// and two devices.
type fakeService struct {
	url string

	mu    sync.Mutex
	asked []string
	certs []map[string]any
	heard []map[string]any // answers of devices that wait for a poll

	notified []map[string]any // what devices reported and waits likewise
}

func newFakeService(cleanup func(func())) *fakeService {
	s := &fakeService{certs: []map[string]any{
		{"id": "0190000000000000000000000000000a", "name": "boards", "service": "bootstrap", "device_execution_mode": 1, "status": "ACTIVE", "certificate": vectorCertificate()},
		{"id": "0190000000000000000000000000000b", "name": "unused", "service": "bootstrap", "device_execution_mode": 1, "status": "INACTIVE", "certificate": vectorCertificate()},
		{"id": "0190000000000000000000000000000c", "name": "factory", "service": "bootstrap", "status": "ACTIVE", "certificate": "\x1b[31mno PEM"},
	}}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	cleanup(server.Close)
	s.url = server.URL
	return s
}

func vectorCertificate() string {
	source, err := os.ReadFile("../../testdata/vectors/mbed_cloud_dev_credentials.example.c")
	if err != nil {
		panic(err)
	}
	dev, err := credential.ParseDeveloper(source)
	if err != nil {
		panic(err)
	}
	return pki.CertificatePEM(dev.DeviceCertificate)
}

func (s *fakeService) journal() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.asked, "\n")
}

func (s *fakeService) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, r.Header.Get("Authorization")))
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	status, err := strconv.Atoi(first)
	switch {
	case first == "html":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>please log in")
	case first == "escape":
		send(w, map[string]any{"object": "account", "id": "\x1b[31m\u009b2J\u202ered", "status": "ACTIVE"})
	case first == "elsewhere":
		http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
	case err == nil:
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "3600")
		}
		refuse(w, status)
	case !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ak_1good"):
		refuse(w, http.StatusUnauthorized)
	default:
		s.answer(w, r)
	}
}

func refuse(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"object":"error","code":%d,"type":"x","message":"said the\n service","request_id":"r"}`, status)
}

func (s *fakeService) answer(w http.ResponseWriter, r *http.Request) {
	switch path := strings.TrimSuffix(r.URL.Path, "/"); {
	case path == "/v3/accounts/me":
		fmt.Fprint(w, `{"object":"account","id":"0190000000000000000000000000acc0","status":"ACTIVE"}`)
	case path == "/v3/trusted-certificates":
		list(w, s.certs, r, "name")
	case strings.HasPrefix(path, "/v3/trusted-certificates/") && r.Method == http.MethodDelete:
		s.certs = slices.DeleteFunc(s.certs, func(cert map[string]any) bool { return strings.HasSuffix(path, cert["id"].(string)) })
		w.WriteHeader(http.StatusNoContent)
	case path == "/v3/developer-certificates" && r.Method == http.MethodPost:
		s.createDeveloper(w, r)
	case strings.HasPrefix(path, "/v3/developer-certificates/"):
		send(w, developerCertificate(strings.TrimPrefix(path, "/v3/developer-certificates/")))
	case strings.HasPrefix(path, "/v2/"):
		s.talk(w, r)
	case path == "/v3/devices" && strings.HasSuffix(r.Header.Get("Authorization"), "blind"):
		refuse(w, http.StatusForbidden)
	case path == "/v3/devices":
		list(w, devices(), r, "name", "endpoint_name", "state", "ca_id")
	case strings.HasPrefix(path, "/v3/devices/"):
		for _, device := range devices() {
			if strings.HasSuffix(path, device["id"].(string)) {
				send(w, device)
				return
			}
		}
		refuse(w, http.StatusNotFound)
	default:
		refuse(w, http.StatusNotFound)
	}
}

// talk answers as a service whose device "kitchen" is connected.
func (s *fakeService) talk(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v2/notification/pull" {
		if len(s.heard) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		send(w, map[string]any{"registrations": []any{}, "async-responses": s.heard, "notifications": s.notified})
		s.heard, s.notified = nil, nil
		return
	}
	if strings.HasPrefix(r.URL.Path, "/v2/subscriptions/") {
		s.subscribe(w, r)
		return
	}
	var asked struct {
		Method, URI string
		Payload     string `json:"payload-b64"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		refuse(w, http.StatusBadRequest)
		return
	}
	s.asked = append(s.asked, fmt.Sprintf("%s %s %s", asked.Method, asked.URI, asked.Payload))
	if !strings.HasSuffix(r.URL.Path, "1") {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, "DEVICE_NOT_CONNECTED")
		return
	}
	answer := map[string]any{"id": r.URL.Query().Get("async-id"), "status": 200, "payload": ""}
	switch asked.Method + " " + asked.URI {
	case "GET /3/0/0":
		answer["payload"], answer["ct"] = "bWFrZXI=", "text/plain"
	case "GET /3/0":
		answer["payload"], answer["ct"] = "yAAFbWFrZXLBCwA=", "application/vnd.oma.lwm2m+tlv"
	case "PUT /1/0/1", "POST /1/0/8", "DELETE /5000/1":
	case "PUT /3/0/0":
		answer["status"], answer["error"] = 405, "METHOD_NOT_ALLOWED"
	case "PUT /1/0/2":
		answer["status"], answer["error"] = 400, "BAD_REQUEST"
	case "GET /3/0/0/0":
		answer["status"], answer["error"] = 404, "NOT_FOUND"
	case "GET /3/0/13":
		answer["status"], answer["error"] = 503, "NOT_CONNECTED"
	case "GET /3/0/9":
		answer["id"] = "another"
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, "RESOURCE_NOT_FOUND")
		return
	}
	s.heard = append(s.heard, answer)
	w.WriteHeader(http.StatusAccepted)
}

func (s *fakeService) createDeveloper(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Name string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		refuse(w, http.StatusBadRequest)
		return
	}
	for _, cert := range s.certs {
		if cert["name"] == asked.Name {
			refuse(w, http.StatusConflict)
			return
		}
	}
	const id = "0190000000000000000000000000000d"
	s.certs = append(s.certs, map[string]any{
		"id": id, "name": asked.Name, "service": "bootstrap", "device_execution_mode": 1, "status": "ACTIVE", "certificate": vectorCertificate(),
	})
	w.WriteHeader(http.StatusCreated)
	send(w, developerCertificate(id))
}

func developerCertificate(id string) map[string]any {
	source, err := os.ReadFile("../../testdata/vectors/mbed_cloud_dev_credentials.example.c")
	if err != nil {
		panic(err)
	}
	return map[string]any{"id": id, "object": "trusted-cert", "security_file_content": string(source)}
}

func devices() []map[string]any {
	const certificate = "0190000000000000000000000000000a"
	return []map[string]any{
		{"id": "01900000000000000000000000000001", "name": "kitchen", "endpoint_name": "shared", "state": "registered", "ca_id": certificate, "updated_at": "2026-01-02T03:04:05.000000Z"},
		{"id": "01900000000000000000000000000002", "name": "\x1b[31mred\ttab", "endpoint_name": "shared", "state": "deregistered", "ca_id": certificate},
	}
}

func list(w http.ResponseWriter, all []map[string]any, r *http.Request, fields ...string) {
	found := []map[string]any{}
	for _, one := range all {
		fits := true
		for _, field := range fields {
			want := r.URL.Query().Get(field + "__eq")
			fits = fits && (want == "" || one[field] == want)
		}
		if fits {
			found = append(found, one)
		}
	}
	send(w, map[string]any{"object": "list", "data": found, "has_more": false, "total_count": len(found)})
}

func send(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}
