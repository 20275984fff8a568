package cloudapi_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloudapi"
	"mbl/internal/program/programtest"
	"mbl/internal/secret"
)

const testKey = "ak_1verysecret"

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func client(t *testing.T, cfg cloudapi.Config) *cloudapi.Client {
	t.Helper()
	cfg.Key = secret.New(testKey)
	c, err := cloudapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachRefusalHasItsOwnError(t *testing.T) {
	const body = `{"object":"error","code":0,"type":"t","message":"the reason","request_id":"r1","fields":[{"name":"name","message":"too long"}]}`
	const jsonType, html = "application/json", "text/html; charset=utf-8"
	tests := []struct {
		name    string
		handler http.HandlerFunc
		is      []error
		isNot   []error
		text    string
	}{
		{"401", answer(401, jsonType, body), []error{cloudapi.ErrUnauthorized}, []error{cloudapi.ErrNotService}, "the reason"},
		{"401 without a body", answer(401, "", ""), []error{cloudapi.ErrUnauthorized}, []error{cloudapi.ErrNotService}, "401 Unauthorized"},
		{"403", answer(403, jsonType, body), []error{cloudapi.ErrForbidden}, nil, "the reason"},
		{"404", answer(404, jsonType, body), []error{cloudapi.ErrNotFound}, []error{cloudapi.ErrNotService}, "404"},
		{"404 of a web server", answer(404, html, "<html>"), []error{cloudapi.ErrNotFound, cloudapi.ErrNotService}, nil, "404"},
		{"409", answer(409, jsonType, body), []error{cloudapi.ErrConflict}, nil, "409"},
		{"400", answer(400, jsonType, body), []error{cloudapi.ErrInvalid}, nil, "name: too long"},
		{"429", answer(429, jsonType, body), []error{cloudapi.ErrTooMany, cloudapi.ErrUnavailable}, nil, "429"},
		{"500", answer(500, "text/plain", "oops"), []error{cloudapi.ErrUnavailable}, nil, "500"},
		{"503", answer(503, jsonType, `[]`), []error{cloudapi.ErrUnavailable}, nil, "503"},
		{"captive portal", answer(200, html, "<html>log in"), []error{cloudapi.ErrNotService}, nil, "web page"},
		{"another API", answer(200, jsonType, `{"hello":"world"}`), []error{cloudapi.ErrNotService}, nil, ""},
		{"an array", answer(200, jsonType, `[1]`), []error{cloudapi.ErrNotService}, nil, ""},
		{"cut off", answer(200, jsonType, `{"id":"a`), []error{cloudapi.ErrNotService}, nil, ""},
		{"nothing", answer(204, "", ""), []error{cloudapi.ErrNotService}, nil, ""},
		{"half an answer", halfAnswer, []error{cloudapi.ErrBroken, cloudapi.ErrUnreachable}, nil, "before its answer was whole"},
		{"hangs up", hangUp, []error{cloudapi.ErrBroken, cloudapi.ErrUnreachable}, nil, ""},
		{"endless", endless, []error{cloudapi.ErrNotService}, nil, ""},
		{"drop by drop", drip, []error{cloudapi.ErrTimeout}, nil, "no answer in time"},
		{"silent", silent, []error{cloudapi.ErrTimeout, cloudapi.ErrUnreachable}, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			timeout := time.Minute // a machine with much to do is not late by it
			if slices.Contains(test.is, cloudapi.ErrTimeout) {
				timeout = time.Second
			}
			c := client(t, cloudapi.Config{BaseURL: serve(t, test.handler).URL, Timeout: timeout, RetryPause: time.Millisecond})
			account, err := c.CurrentAccount(t.Context())
			if err == nil {
				t.Fatalf("accepted as %+v", account)
			}
			for _, is := range test.is {
				if !errors.Is(err, is) {
					t.Errorf("%v is not %v", err, is)
				}
			}
			for _, isNot := range test.isNot {
				if errors.Is(err, isNot) {
					t.Errorf("%v is %v", err, isNot)
				}
			}
			if !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), testKey) {
				t.Errorf("error says %q", err)
			}
		})
	}
}

func halfAnswer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `{"id":`)
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func endless(w http.ResponseWriter, _ *http.Request) {
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for range 20 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// drip never comes to the end of its answer.
func drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		fmt.Fprint(w, " ")
		w.(http.Flusher).Flush()
		time.Sleep(10 * time.Millisecond)
	}
}

func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestWhyAServiceCannotBeReached(t *testing.T) {
	closed := "http://" + programtest.KeptAddress(t)
	secure := httptest.NewTLSServer(answer(200, "application/json", `{"id":"a"}`))
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

	tests := map[string]struct {
		url string
		is  error
	}{
		"refused":      {closed, cloudapi.ErrRefused},
		"unknown CA":   {secure.URL, cloudapi.ErrUntrusted},
		"TLS expected": {strings.Replace(serve(t, answer(200, "", "")).URL, "http:", "https:", 1), cloudapi.ErrNotTLS},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, cloudapi.Config{BaseURL: test.url, Timeout: time.Minute}).CurrentAccount(t.Context())
			if !errors.Is(err, test.is) || !errors.Is(err, cloudapi.ErrUnreachable) {
				t.Errorf("error %v", err)
			}
		})
	}

	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, cloudapi.Config{BaseURL: secure.URL, CAFile: ca}).CurrentAccount(t.Context()); err != nil {
		t.Errorf("with its CA: %v", err)
	}
}

func TestGivingUpIsPassedOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := client(t, cloudapi.Config{BaseURL: server.URL}).CurrentAccount(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestTheKeyIsSentToNobodyElse(t *testing.T) {
	var stolen []string
	thief := serve(t, func(w http.ResponseWriter, r *http.Request) {
		stolen = append(stolen, r.Header.Get("Authorization"))
		fmt.Fprint(w, `{"id":"a"}`)
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL+r.URL.Path, status) })
		_, err := client(t, cloudapi.Config{BaseURL: server.URL}).CurrentAccount(t.Context())
		if !errors.Is(err, cloudapi.ErrRedirected) || !strings.Contains(err.Error(), thief.URL) {
			t.Errorf("%d: %v", status, err)
		}
	}
	if len(stolen) != 0 {
		t.Errorf("requests went to the other host: %q", stolen)
	}
}

func TestARedirectOnTheSameHostIsFollowedForReading(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
			return
		}
		fmt.Fprintf(w, `{"id":"a","display_name":%q}`, r.Method)
	})
	c := client(t, cloudapi.Config{BaseURL: server.URL})
	if _, err := c.CurrentAccount(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.CreateDeveloperCertificate(t.Context(), "n", ""); !errors.Is(err, cloudapi.ErrRedirected) {
		t.Errorf("a POST was redirected into a GET: %v", err)
	}
}

func TestRequestsLookAsTheServiceExpects(t *testing.T) {
	var got *http.Request
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		fmt.Fprint(w, `{"id":"a"}`)
	})
	var log bytes.Buffer
	c := client(t, cloudapi.Config{BaseURL: server.URL + "/base/", Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if _, err := c.CurrentAccount(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got.RequestURI != "/base/v3/accounts/me?include=limits%2C+policies" {
		t.Errorf("asked for %s", got.RequestURI)
	}
	if got.Header.Get("Authorization") != "Bearer "+testKey || !strings.HasPrefix(got.Header.Get("User-Agent"), "mbl-cli/") {
		t.Errorf("header %v", got.Header)
	}
	if log.Len() == 0 || strings.Contains(log.String(), testKey) {
		t.Errorf("log: %s", log.String())
	}
}

func TestURLsAreBroughtIntoOneForm(t *testing.T) {
	good := map[string]string{
		"https://API.Example.com/":       "https://api.example.com",
		" https://api.example.com:443 ":  "https://api.example.com",
		"http://127.0.0.1:8080/sub//":    "http://127.0.0.1:8080/sub",
		"http://localhost:80":            "http://localhost",
		"api.example.com":                "https://api.example.com",
		"127.0.0.1:8080":                 "http://127.0.0.1:8080",
		"[::1]:8080":                     "http://[::1]:8080",
		"https://[2001:db8::1]:8443/x/y": "https://[2001:db8::1]:8443/x/y",
	}
	for text, want := range good {
		if got, err := cloudapi.NormalizeURL(text); err != nil || got != want {
			t.Errorf("NormalizeURL(%q) = %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "https://", "ftp://x", "https://u:p@x", "https://x?a=b", "https://x#f", "http://%zz", "https://x:port"} {
		if got, err := cloudapi.NormalizeURL(text); !errors.Is(err, cloudapi.ErrURL) {
			t.Errorf("NormalizeURL(%q) = %q, %v", text, got, err)
		}
	}
}

func TestPlainHTTPToOtherMachinesIsRefused(t *testing.T) {
	for url, allowed := range map[string]bool{
		"http://127.0.0.1:1": true, "http://127.9.9.9": true, "http://localhost:1": true, "http://[::1]:1": true, "https://x": true,
		"http://192.0.2.1": false, "http://localhost.example": false, "http://0.0.0.0": false,
	} {
		_, err := cloudapi.New(cloudapi.Config{BaseURL: url})
		if (err == nil) != allowed || (!allowed && !errors.Is(err, cloudapi.ErrPlainHTTP)) {
			t.Errorf("%s: %v", url, err)
		}
		if _, err := cloudapi.New(cloudapi.Config{BaseURL: url, InsecureHTTP: true}); err != nil {
			t.Errorf("%s, insecure allowed: %v", url, err)
		}
	}
}

func TestAnUnusableCAFileIsRefused(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{notPEM, notPEM + ".missing", t.TempDir()} {
		if _, err := cloudapi.New(cloudapi.Config{BaseURL: "https://x", CAFile: file}); !errors.Is(err, cloudapi.ErrCAFile) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
