package cloudapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"mbl/internal/cloudapi"
)

func TestListsAreReadToTheirEnd(t *testing.T) {
	var asked []string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		after := r.URL.Query().Get("after")
		asked = append(asked, after)
		if r.URL.Query().Get("state__eq") != "registered" {
			t.Errorf("filter lost: %s", r.URL.RawQuery)
		}
		switch after {
		case "":
			fmt.Fprint(w, `{"object":"list","has_more":true,"data":[{"id":"1"},{"id":"2"}]}`)
		case "2":
			fmt.Fprint(w, `{"object":"list","has_more":false,"data":[{"id":"3"}],"new_field":{}}`)
		}
	})
	var ids []string
	for device, err := range client(t, cloudapi.Config{BaseURL: server.URL}).Devices(t.Context(), url.Values{"state__eq": {"registered"}}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, device.ID)
	}
	if !slices.Equal(ids, []string{"1", "2", "3"}) || !slices.Equal(asked, []string{"", "2"}) {
		t.Errorf("got %v by asking after %q", ids, asked)
	}
}

func TestAListThatSaysMoreButGivesNothingEnds(t *testing.T) {
	server := serve(t, answer(200, "application/json", `{"object":"list","has_more":true,"data":[]}`))
	for _, err := range client(t, cloudapi.Config{BaseURL: server.URL}).Devices(t.Context(), nil) {
		t.Errorf("yielded, %v", err)
	}
}

func TestAListThatRepeatsItsFirstPartEnds(t *testing.T) {
	server := serve(t, answer(200, "application/json", `{"object":"list","has_more":true,"data":[{"id":"1"}]}`))
	var last error
	for _, err := range client(t, cloudapi.Config{BaseURL: server.URL}).Devices(t.Context(), nil) {
		last = err
	}
	if !errors.Is(last, cloudapi.ErrNotService) {
		t.Errorf("error %v", last)
	}
}

func TestALaterPagesFailureIsReported(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("after") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"object":"list","has_more":true,"data":[{"id":"1"}]}`)
	})
	var last error
	for _, err := range client(t, cloudapi.Config{BaseURL: server.URL}).TrustedCertificates(t.Context(), nil) {
		last = err
	}
	if !errors.Is(last, cloudapi.ErrUnavailable) {
		t.Errorf("error %v", last)
	}
}

func TestWhatIsNoListIsRefused(t *testing.T) {
	server := serve(t, answer(200, "application/json", `{}`))
	for _, err := range client(t, cloudapi.Config{BaseURL: server.URL}).Devices(t.Context(), nil) {
		if !errors.Is(err, cloudapi.ErrNotService) {
			t.Errorf("error %v", err)
		}
	}
}

func TestTimesAreReadInEveryForm(t *testing.T) {
	want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, expected := range map[string]time.Time{
		`"2026-01-02T03:04:05Z"`:        want,
		`"2026-01-02T03:04:05.000000Z"`: want,
		`"2026-01-02T05:04:05+02:00"`:   want,
		`"2026-01-02T03:04:05"`:         want,
		`"2026-01-02"`:                  time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		`null`:                          {},
		`""`:                            {},
		`"soon"`:                        {},
		`12`:                            {},
	} {
		device := cloudapi.Device{CreatedAt: cloudapi.Time{Time: time.Now()}}
		if err := json.Unmarshal([]byte(`{"created_at":`+text+`}`), &device); err != nil || !device.CreatedAt.Equal(expected) {
			t.Errorf("%s became %v, %v", text, device.CreatedAt, err)
		}
	}
}

func TestNullsAreNothing(t *testing.T) {
	server := serve(t, answer(200, "application/json",
		`{"id":"a","name":null,"state":null,"custom_attributes":null,"device_execution_mode":null,"updated_at":null,"groups":null}`))
	device, err := client(t, cloudapi.Config{BaseURL: server.URL}).Device(t.Context(), "a")
	if err != nil || device.ID != "a" || device.Name != "" {
		t.Errorf("%+v, %v", device, err)
	}
}

func TestADeveloperCertificateIsReadAgainIfTheAnswerHoldsNoFile(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "POST /v3/developer-certificates":
			body, err := io.ReadAll(r.Body)
			if err != nil || string(body) != `{"name":"n"}` {
				t.Errorf("sent %s, %v", body, err)
			}
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"id":"abc"}`)
		case "GET /v3/developer-certificates/abc":
			fmt.Fprint(w, `{"id":"abc","name":"n","security_file_content":"source"}`)
		}
	})
	cert, err := client(t, cloudapi.Config{BaseURL: server.URL}).CreateDeveloperCertificate(t.Context(), "n", "")
	if err != nil || cert.SecurityFileContent.Reveal() != "source" {
		t.Errorf("%+v, %v", cert, err)
	}
}

func TestAnotherCertificateOfTheNameIsNotADeveloperCertificate(t *testing.T) {
	server := serve(t, answer(200, "application/json",
		`{"object":"list","data":[{"id":"1","name":"n","service":"bootstrap"},{"id":"2","name":"N","device_execution_mode":1}]}`))
	_, err := client(t, cloudapi.Config{BaseURL: server.URL}).DeveloperCertificateByName(t.Context(), "n")
	if !errors.Is(err, cloudapi.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func TestAnUpdateSendsOnlyWhatChanges(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPut || r.URL.Path != "/v3/devices/a/" || string(body) != `{"name":"vm"}` {
			t.Errorf("%s %s %s, %v", r.Method, r.URL.Path, body, err)
		}
		fmt.Fprint(w, `{"id":"a","name":"vm"}`)
	})
	name := "vm"
	device, err := client(t, cloudapi.Config{BaseURL: server.URL}).UpdateDevice(t.Context(), "a", cloudapi.DeviceUpdate{Name: &name})
	if err != nil || device.Name != "vm" {
		t.Errorf("%+v, %v", device, err)
	}
}

func TestAnIDCannotLeaveItsPath(t *testing.T) {
	var path string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.RequestURI
		w.WriteHeader(http.StatusNoContent)
	})
	if err := client(t, cloudapi.Config{BaseURL: server.URL}).DeleteTrustedCertificate(t.Context(), "../api-keys/x?y"); err != nil {
		t.Fatal(err)
	}
	if path != "/v3/trusted-certificates/..%2Fapi-keys%2Fx%3Fy" {
		t.Errorf("asked for %s", path)
	}
}

func TestServerCredentials(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"server_uri":"coaps://h:5684%s","server_certificate":"PEM"}`, r.URL.Path)
	})
	got, err := client(t, cloudapi.Config{BaseURL: server.URL}).ServerCredentials(t.Context(), cloudapi.ServerBootstrap)
	if err != nil || got.URI != "coaps://h:5684/v3/server-credentials/bootstrap" || got.Certificate != "PEM" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDevicesAreCountedWithoutReadingThem(t *testing.T) {
	var asked string
	body := `{"object":"list","data":[{"id":"a"},{"id":"b"}],"has_more":true,"total_count":1234}`
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.RequestURI
		fmt.Fprint(w, body)
	})
	c := client(t, cloudapi.Config{BaseURL: server.URL})
	number, err := c.CountDevices(t.Context(), cloudapi.DevicesOf("0a"))
	if err != nil || number != 1234 || asked != "/v3/devices/?ca_id__eq=0a&include=total_count&limit=2" {
		t.Errorf("%d devices, %v; asked %s", number, err, asked)
	}
	for _, body = range []string{`{"object":"list","data":[]}`, `{"object":"list","data":[{"id":"a"}],"total_count":0}`, `{"object":"list","total_count":-1}`} {
		if number, err := c.CountDevices(t.Context(), nil); !errors.Is(err, cloudapi.ErrNotService) {
			t.Errorf("%s counted as %d, %v", body, number, err)
		}
	}
}
