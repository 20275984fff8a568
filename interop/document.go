// Package interop holds our service against other people's programs: the
// published client libraries talk to a running mbl-cloud through a recorder,
// which checks every exchange against the API document the vendor published.
// `make interop` runs it. It is no part of the programs.
package interop

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed" // the published document
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/oasdiff/yaml"
)

// published is the Swagger 2.0 document of the original service; testdata's
// README says where it is from.
//
//go:embed testdata/pelion-public-api.yaml.gz
var published []byte

// Document is the published API document, ready to check exchanges.
type Document struct{ router routers.Router }

// Exchange is one request and its answer, bodies included.
type Exchange struct {
	Request      *http.Request
	RequestBody  []byte
	Status       int
	Header       http.Header
	ResponseBody []byte
}

// Verdict is what a document says about an exchange.
type Verdict struct {
	Operation string // "GET /v3/devices/", empty where the document has none
	Problems  []string
}

// Published loads the document.
func Published() (*Document, error) {
	openapi3filter.RegisterBodyDecoder("text/uri-list", openapi3filter.RegisteredBodyDecoder("text/plain"))
	// What the Java SDK calls every value that it writes.
	openapi3filter.RegisterBodyDecoder("application/vnd.oma.lwm2m+json", openapi3filter.RegisteredBodyDecoder("text/plain"))
	plain, err := gunzip(published)
	if err != nil {
		return nil, err
	}
	asJSON, err := yaml.YAMLToJSON(plain)
	if err != nil {
		return nil, fmt.Errorf("cannot read the API document: %w", err)
	}
	doc, err := convert(asJSON)
	if err != nil {
		return nil, fmt.Errorf("cannot convert the API document: %w", err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("cannot route by the API document: %w", err)
	}
	return &Document{router}, nil
}

func gunzip(compressed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// convert makes OpenAPI 3 of Swagger 2.0, which is all the library checks by.
func convert(swagger []byte) (*openapi3.T, error) {
	var old openapi2.T
	if err := json.Unmarshal(swagger, &old); err != nil {
		return nil, err
	}
	converted, err := openapi2conv.ToV3(&old)
	if err != nil {
		return nil, err
	}
	converted.Servers = nil // any host will do
	var tree any
	if err := through(converted, &tree); err != nil {
		return nil, err
	}
	mend(tree)
	mended, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromData(mended)
}

// through copies from into to by way of JSON.
func through(from, to any) error {
	content, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, to)
}

// mend says in OpenAPI 3 what the document says in the vendor's own words
// (x-nullable), and drops the patterns that Go's RE2 cannot compile
// (look-ahead). A list's after is null on its first page, which the document
// says in its examples alone.
func mend(node any) {
	switch node := node.(type) {
	case map[string]any:
		if node["x-nullable"] == true {
			node["nullable"] = true
		}
		if pattern, ok := node["pattern"].(string); ok && strings.Contains(pattern, "(?=") {
			delete(node, "pattern")
		}
		if after, ok := node["after"].(map[string]any); ok && node["has_more"] != nil {
			after["nullable"] = true
		}
		for _, child := range node {
			mend(child)
		}
	case []any:
		for _, child := range node {
			mend(child)
		}
	}
}

// Check holds an exchange against the document.
func (d *Document) Check(ctx context.Context, e *Exchange) Verdict {
	route, parameters, err := d.find(e.Request)
	if err != nil {
		return Verdict{Problems: checkUnknown(e)}
	}
	v := Verdict{Operation: route.Method + " " + route.Path}
	input := d.input(e, route, parameters)
	if err := openapi3filter.ValidateRequest(ctx, input); err != nil && e.Status < 400 {
		v.Problems = append(v.Problems, "accepted a request the document forbids: "+firstLines(err))
	}
	if e.Status >= http.StatusBadRequest && strings.HasPrefix(e.Request.URL.Path, "/v2/") {
		v.Problems = append(v.Problems, checkWord(e)...)
		return v
	}
	if route.Operation.Responses.Status(e.Status) == nil {
		v.Problems = append(v.Problems, checkUndeclared(e)...)
		return v
	}
	if err := openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 e.Status,
		Header:                 e.Header,
		Body:                   io.NopCloser(bytes.NewReader(e.ResponseBody)),
		Options:                input.Options,
	}); err != nil {
		v.Problems = append(v.Problems, fmt.Sprintf("answer %d: %s", e.Status, firstLines(err)))
	}
	return v
}

// find looks a request up as it is, and with its last slash the other way:
// the service must accept both, and the document names one.
func (d *Document) find(r *http.Request) (*routers.Route, map[string]string, error) {
	r = withOneResource(r)
	route, parameters, err := d.router.FindRoute(r)
	if err == nil {
		return route, parameters, nil
	}
	other := r.Clone(r.Context())
	if path, slash := strings.CutSuffix(r.URL.Path, "/"); slash {
		other.URL.Path = path
	} else {
		other.URL.Path += "/"
	}
	other.URL.RawPath = ""
	return d.router.FindRoute(other)
}

// withOneResource puts the path of a resource into one segment, which it is in
// the document (resourcePath), although clients do not escape its slashes.
func withOneResource(r *http.Request) *http.Request {
	found := regexp.MustCompile(`^(/v2/(?:endpoints|subscriptions)/[^/]+/)(.+)$`).FindStringSubmatch(r.URL.Path)
	if found == nil {
		return r
	}
	one := r.Clone(r.Context())
	one.URL.Path, one.URL.RawPath = found[1]+strings.ReplaceAll(found[2], "/", "-"), ""
	return one
}

func (d *Document) input(e *Exchange, route *routers.Route, parameters map[string]string) *openapi3filter.RequestValidationInput {
	request := e.Request.Clone(e.Request.Context())
	request.Body = io.NopCloser(bytes.NewReader(e.RequestBody))
	return &openapi3filter.RequestValidationInput{
		Request:    request,
		PathParams: parameters,
		Route:      route,
		Options: &openapi3filter.Options{
			MultiError:            true,
			IncludeResponseStatus: true,
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
			// The SDKs send back what they read; the service ignores it.
			ExcludeReadOnlyValidations: true,
		},
	}
}

// checkUnknown judges the answer to a request the document does not have.
func checkUnknown(e *Exchange) []string {
	if e.Status < 400 {
		return []string{fmt.Sprintf("answer %d to a request the document does not have", e.Status)}
	}
	return checkError(e)
}

// checkUndeclared judges a status the document does not name for the
// operation. It names few of the errors, so any error will do that looks like
// one.
func checkUndeclared(e *Exchange) []string {
	if e.Status < 400 {
		return []string{fmt.Sprintf("answer %d, which the document does not name", e.Status)}
	}
	return checkError(e)
}

// checkWord wants the one word that version 2 answers errors with. The
// document calls it a text in JSON; the vendor's tests compare the bare body.
func checkWord(e *Exchange) []string {
	if !regexp.MustCompile(`^[A-Z_]+$`).Match(e.ResponseBody) {
		return []string{fmt.Sprintf("answer %d is not one word: %q", e.Status, e.ResponseBody)}
	}
	return nil
}

// checkError wants the error body that all of v3 shares; clients read it
// without looking at anything else first.
func checkError(e *Exchange) []string {
	var body struct {
		Object    string `json:"object"`
		Code      int    `json:"code"`
		Type      string `json:"type"`
		Message   string `json:"message"`
		RequestID string `json:"request_id"`
	}
	switch err := json.Unmarshal(e.ResponseBody, &body); {
	case err != nil:
		return []string{fmt.Sprintf("answer %d is no JSON object: %v", e.Status, err)}
	case body.Object != "error" || body.Code != e.Status || body.Type == "" || body.Message == "" || body.RequestID == "":
		return []string{fmt.Sprintf("answer %d lacks what every error has: %s", e.Status, e.ResponseBody)}
	}
	return nil
}

// firstLines keeps the part of a validation error that says what is wrong,
// and leaves out the schema it quotes after that.
func firstLines(err error) string {
	var several openapi3.MultiError
	if errors.As(err, &several) {
		var parts []string
		for _, one := range several {
			parts = append(parts, firstLines(one))
		}
		return strings.Join(parts, "; ")
	}
	text, _, _ := strings.Cut(err.Error(), "\nSchema:")
	return strings.TrimSpace(text)
}
