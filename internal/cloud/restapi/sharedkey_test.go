package restapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

const oneSecret = "4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a"

func (w *world) addKey(endpointName string) {
	w.t.Helper()
	got := w.must(201, w.ask("POST", "/v2/device-shared-keys", map[string]string{"endpoint_name": endpointName, "secret_hex": oneSecret}))
	if got.text != "" {
		w.t.Errorf("adding a key is answered %q", got.text)
	}
}

func TestAPreSharedKeyIsAddedReadAndDeleted(t *testing.T) {
	w := newWorld(t)
	name := "my endpoint/0001?&"
	w.addKey(name)
	path := "/v2/device-shared-keys/" + url.PathEscape(name)
	got := w.must(200, w.ask("GET", path, nil))
	if got.at("endpoint_name") != name || got.at("created_at") == nil || strings.Contains(got.text, oneSecret) {
		t.Errorf("read %s", got.text)
	}
	for range 2 {
		if got := w.must(204, w.ask("DELETE", path, nil)); got.text != "" {
			t.Errorf("deleting is answered %q", got.text)
		}
	}
	w.must(404, w.ask("GET", path, nil))
	w.addKey(name)
	if strings.Contains(w.log.String(), oneSecret) {
		t.Error("the secret is in the log")
	}
}

// What clients must escape is part of the name: deleting must not be answered
// with success while the key stays.
func TestAPreSharedKeyIsDeletedWhateverItsNameLooksLikeInAPath(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"ends-with-a-slash/", "two//slashes-within", "dots/../within-it", "percent%2Fand%zz+plus", "/begins-with-a-slash"} {
		w.addKey(name)
		path := "/v2/device-shared-keys/" + url.PathEscape(name)
		if got := w.must(200, w.ask("GET", path, nil)); got.at("endpoint_name") != name {
			t.Errorf("%s: read %s", name, got.text)
		}
		w.must(204, w.ask("DELETE", path, nil))
		w.must(404, w.ask("GET", path, nil))
		w.addKey(name) // would be refused if it were still there
	}
}

func TestPreSharedKeysAreRefusedInWords(t *testing.T) {
	w := newWorld(t)
	w.addKey("my-endpoint-0001")
	for body, wanted := range map[string]string{
		`{"endpoint_name":"short","secret_hex":"` + oneSecret + `"}`: "400 INVALID_ENDPOINT_NAME",
		`{"endpoint_name":"my-endpoint-0002","secret_hex":"4a"}`:     "400 INVALID_SECRET_HEX",
		`{}`:                  "400 INVALID_ENDPOINT_NAME,INVALID_SECRET_HEX",
		`{`:                   "400 MALFORMED_JSON_CONTENT",
		`{"endpoint_name":1}`: "400 MALFORMED_JSON_CONTENT",
		`{"endpoint_name":"my-endpoint-0001","secret_hex":"` + oneSecret + `"}`: "409 KEY_ALREADY_EXISTS_FOR_ENDPOINT",
	} {
		got := w.ask("POST", "/v2/device-shared-keys", body)
		if answered := fmt.Sprint(got.status, " ", got.text); answered != wanted {
			t.Errorf("%s is answered %s", body, answered)
		}
	}
	for _, method := range []string{"GET", "DELETE"} {
		if got := w.ask(method, "/v2/device-shared-keys/short", nil); got.status != 400 || got.text != "INVALID_ENDPOINT_NAME" {
			t.Errorf("%s of a short name is answered %d %s", method, got.status, got.text)
		}
	}
	if got := w.askAs("", "GET", "/v2/device-shared-keys", nil); got.status != 401 {
		t.Errorf("without a key it is answered %s", got.line)
	}
}

func TestPreSharedKeysAreListedByMarker(t *testing.T) {
	w := newWorld(t)
	if got := w.must(200, w.ask("GET", "/v2/device-shared-keys", nil)); got.at("has_more") != false || len(got.at("data").([]any)) != 0 ||
		got.at("continuation_marker") != nil || got.at("limit") != 50.0 || got.at("object") != "list" {
		t.Errorf("the empty list is %s", got.text)
	}
	for i := range 5 {
		w.addKey(fmt.Sprintf("my-endpoint-%04d", i))
	}
	var names []string
	after := ""
	for range 3 {
		got := w.must(200, w.ask("GET", "/v2/device-shared-keys?limit=2&after="+after, nil))
		for _, item := range got.at("data").([]any) {
			names = append(names, fmt.Sprint(item.(map[string]any)["endpoint_name"]))
		}
		if more := len(names) < 5; got.at("has_more") != more || (got.at("continuation_marker") != nil) != more {
			t.Errorf("after %d names: %s", len(names), got.text)
		}
		after = fmt.Sprint(got.at("continuation_marker"))
	}
	if strings.Join(names, " ") != "my-endpoint-0000 my-endpoint-0001 my-endpoint-0002 my-endpoint-0003 my-endpoint-0004" {
		t.Errorf("listed %v", names)
	}
	for query, word := range map[string]string{"limit=0": "INVALID_LIMIT", "limit=x": "INVALID_LIMIT", "limit=1001": "INVALID_LIMIT", "after=x": "TOKEN_NOT_FOUND"} {
		if got := w.ask("GET", "/v2/device-shared-keys?"+query, nil); got.status != 400 || got.text != word {
			t.Errorf("%s is answered %d %s", query, got.status, got.text)
		}
	}
}
