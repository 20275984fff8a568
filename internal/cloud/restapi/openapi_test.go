package restapi_test

import (
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
