package restapi_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestTheOpenAPIDocumentIsValidAndDescribesEveryRoute(t *testing.T) {
	w := newWorld(t)
	got := w.must(200, w.askAs("", "GET", "/openapi.json", nil))
	document, err := openapi3.NewLoader().LoadFromData([]byte(got.text))
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			address := strings.ReplaceAll(path, "{id}", "0123456789abcdef0123456789abcdef")
			answered := w.askAs("", method, address, nil)
			if needsKey := operation.Security != nil; needsKey != (answered.status == 401) {
				t.Errorf("%s %s needs a key: %v, but is answered %s", method, path, needsKey, answered.line)
			}
		}
	}
	if document.Paths.Len() < 15 {
		t.Errorf("it has %d paths", document.Paths.Len())
	}
}

// What a generated client needs and cannot guess.
func TestTheOpenAPIDocumentHasTheParametersAndAnswersOfVersionTwo(t *testing.T) {
	w := newWorld(t)
	document, err := openapi3.NewLoader().LoadFromData([]byte(w.must(200, w.askAs("", "GET", "/openapi.json", nil)).text))
	if err != nil {
		t.Fatal(err)
	}
	for route, wanted := range map[string]string{
		"POST /v2/device-requests/{id}":        "async-id expiry-seconds retry",
		"GET /v2/endpoints/{id}/{path}":        "cacheOnly noResp",
		"PUT /v2/endpoints/{id}/{path}":        "noResp",
		"GET /v2/device-shared-keys":           "after limit",
		"POST /v2/device-shared-keys":          "",
		"GET /v3/accounts/me":                  "include",
		"GET /v3/api-keys":                     "after filter include key__eq limit order owner__eq",
		"GET /v2/notification/pull":            "",
		"DELETE /v2/subscriptions/{id}/{path}": "",
	} {
		method, path, _ := strings.Cut(route, " ")
		operation := document.Paths.Value(path).GetOperation(method)
		var names []string
		for _, parameter := range operation.Parameters {
			if parameter.Value.In == openapi3.ParameterInQuery {
				names = append(names, parameter.Value.Name)
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != wanted {
			t.Errorf("%s takes %q in its query", route, got)
		}
		failure := operation.Responses.Default().Value.Content
		if inWords := strings.HasPrefix(path, "/v2/"); (failure.Get("text/plain") != nil) != inWords || (failure.Get("application/json") != nil) == inWords {
			t.Errorf("%s fails with %v", route, failure)
		}
	}
	for route, wanted := range map[string]string{
		"GET /v2/notification/pull":         "200 204 default",
		"GET /v2/endpoints/{id}/{path}":     "200 202 205 default",
		"PUT /v2/notification/websocket":    "200 201 default",
		"PUT /v2/subscriptions/{id}/{path}": "200 202 default",
	} {
		method, path, _ := strings.Cut(route, " ")
		answers := document.Paths.Value(path).GetOperation(method).Responses.Map()
		if got := strings.Join(slices.Sorted(maps.Keys(answers)), " "); got != wanted {
			t.Errorf("%s answers %s", route, got)
		}
	}
	if put := document.Paths.Value("/v2/endpoints/{id}/{path}").Put; put.RequestBody == nil {
		t.Error("nothing can be written to a resource")
	}
}
