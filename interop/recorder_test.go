package interop

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// document is the published document; loading it takes a moment.
var document = sync.OnceValues(Published)

// through asks a recorder in front of a service that always answers the same.
func ask(t *testing.T, status int, answer, method, path, body string) (*Recorder, string) {
	t.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer service.Close()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	recorder, err := NewRecorder(service.URL, doc)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(recorder)
	defer front.Close()
	request, err := http.NewRequest(method, front.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return recorder, string(got)
}

const id = "015c3029f6f7000000000001001000c3"

const goodKey = `{"object":"api-key","id":"` + id + `","name":"n","key":"ak_1","etag":"1","created_at":"2024-01-01T00:00:00.000001Z"}`

const goodError = `{"object":"error","code":404,"type":"not_found","message":"no such thing","request_id":"` + id + `"}`

func TestRecorderFindsWhatIsNotAsPublished(t *testing.T) {
	for _, c := range []struct {
		name         string
		status       int
		answer       string
		method, path string
		body         string
		problem      string // "" for none
	}{
		{"a good answer", 200, goodKey, "GET", "/v3/api-keys/me", "", ""},
		{"the other slash", 200, goodKey, "GET", "/v3/api-keys/me/", "", ""},
		{"a field missing", 200, `{"object":"api-key"}`, "GET", "/v3/api-keys/me", "", `"id" is missing`},
		{"a bad time", 200, strings.Replace(goodKey, "2024-01-01T", "yesterday", 1), "GET", "/v3/api-keys/me", "", "date-time"},
		{"a status nobody named", 202, goodKey, "GET", "/v3/api-keys/me", "", "answer 202, which the document does not name"},
		{"a bad request taken", 201, goodKey, "POST", "/v3/api-keys", `{}`, "accepted a request the document forbids"},
		{"a bad request refused", 400, strings.Replace(goodError, "404", "400", 1), "POST", "/v3/api-keys", `{}`, ""},
		{"an unknown path refused", 404, goodError, "GET", "/v3/nothing", "", ""},
		{"an error that is no JSON", 404, "not found", "GET", "/v3/nothing", "", "no JSON object"},
		{"an error of another code", 500, goodError, "GET", "/v3/nothing", "", "lacks what every error has"},
		{"an unknown path answered", 200, "{}", "GET", "/v3/nothing", "", "the document does not have"},
	} {
		t.Run(c.name, func(t *testing.T) {
			recorder, got := ask(t, c.status, c.answer, c.method, c.path, c.body)
			if got != c.answer {
				t.Errorf("the client got %q, want %q", got, c.answer)
			}
			all := strings.Join(recorder.Problems(), "\n")
			if c.problem == "" && all != "" || !strings.Contains(all, c.problem) {
				t.Errorf("problems %q, want %q", all, c.problem)
			}
		})
	}
}

func TestRecorderKnowsWhichOperationsWereUsed(t *testing.T) {
	recorder, _ := ask(t, 200, goodKey, "GET", "/v3/api-keys/"+id, "")
	if got := strings.Join(recorder.Operations(), ","); got != "GET /v3/api-keys/{apikey_id}" {
		t.Errorf("operations %q", got)
	}
}
