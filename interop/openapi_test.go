package interop

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/yaml"

	"mbl/internal/cloud/restapi"
)

// served are the groups of the published document that the service has; every
// operation of them must be there, but for those of absent.
var served = regexp.MustCompile(`^/v2/|^/v3/(accounts/me|api-keys|policy-groups|users|limitations|developer-certificates|trusted-certificates|` +
	`server-credentials|devices|device-events|devicelog|device-groups|device-queries|device-block-categories|device-enrollments|` +
	`device-enrollment-denials|certificate-enrollments|metrics)(/|$)`)

// absent are operations of those groups that the service does without.
var absent = []string{
	"POST /v3/users", "PUT /v3/users/me", "PUT /v3/users/{}", "DELETE /v3/users/{}", "POST /v3/users/{}/groups", "DELETE /v3/users/{}/groups",
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// operations are those of a document by method and path, written alike: without
// the names of parameters and without a slash at the end.
func operations(document *openapi3.T) map[string]*openapi3.Operation {
	all := map[string]*openapi3.Operation{}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			all[method+" "+strings.TrimSuffix(parameter.ReplaceAllString(path, "{}"), "/")] = operation
		}
	}
	return all
}

func TestOurDocumentSaysWhatThePublishedOneSays(t *testing.T) {
	ours, theirs := operations(ourDocument(t)), operations(publishedDocument(t))
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		_, path, _ := strings.Cut(name, " ")
		if ours[name] == nil && served.MatchString(path) && !slices.Contains(absent, name) {
			t.Errorf("%s is not served", name)
		}
	}
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if theirs[name] != nil {
			compared++
			compare(t, name, ours[name], theirs[name])
		}
	}
	if compared < 60 {
		t.Errorf("only %d operations are in both", compared)
	}
}

// compare wants our statuses of success among the published ones, every field
// that is published as required in our answer and our request, and every
// published filter.
func compare(t *testing.T, name string, ours, theirs *openapi3.Operation) {
	t.Helper()
	checkFilters(t, name, ours, theirs)
	for status, response := range ours.Responses.Map() {
		if status == "default" {
			continue
		}
		published := theirs.Responses.Value(status)
		if published == nil {
			t.Errorf("%s answers %s, which is not published", name, status)
			continue
		}
		checkRequired(t, name+" answers", properties(response.Value.Content), properties(published.Value.Content))
	}
	if theirs.RequestBody != nil && ours.RequestBody != nil {
		checkRequired(t, name+" reads", properties(ours.RequestBody.Value.Content), properties(theirs.RequestBody.Value.Content))
	}
}

// checkFilters wants every published filter of a list among ours.
func checkFilters(t *testing.T, name string, ours, theirs *openapi3.Operation) {
	t.Helper()
	for _, published := range theirs.Parameters {
		filter := published.Value.Name
		if published.Value.In == "query" && strings.Contains(filter, "__") && ours.Parameters.GetByInAndName("query", filter) == nil {
			t.Errorf("%s does not take %s", name, filter)
		}
	}
}

// properties is the schema of a JSON body, nil if there is none.
func properties(content openapi3.Content) *openapi3.Schema {
	if media := content.Get("application/json"); media != nil && media.Schema != nil {
		return media.Schema.Value
	}
	return nil
}

func checkRequired(t *testing.T, where string, ours, theirs *openapi3.Schema) {
	t.Helper()
	if ours == nil || theirs == nil {
		return
	}
	for _, field := range theirs.Required {
		if ours.Properties[field] == nil {
			t.Errorf("%s no %s", where, field)
		}
	}
	if mine, published := items(ours), items(theirs); mine != nil && published != nil && len(mine.Properties) > 0 {
		checkRequired(t, where+" in a list", mine, published)
	}
}

// items is the schema of a list's items, nil if it is no list.
func items(list *openapi3.Schema) *openapi3.Schema {
	data := list.Properties["data"]
	if data == nil || data.Value.Items == nil {
		return nil
	}
	return data.Value.Items.Value
}

// ourDocument is what the service says of itself.
func ourDocument(t *testing.T) *openapi3.T {
	t.Helper()
	api := restapi.New(restapi.Config{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, httptest.NewRequest("GET", "/openapi.json", nil))
	document, err := openapi3.NewLoader().LoadFromData(answer.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func publishedDocument(t *testing.T) *openapi3.T {
	t.Helper()
	plain, err := gunzip(published)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(plain)
	if err != nil {
		t.Fatal(err)
	}
	document, err := convert(json.RawMessage(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return document
}
