package restapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
	"mbl/internal/secret"
)

// maxBody is the size of the largest JSON body that is read, in bytes.
const maxBody = 64 << 10

// call is one request on its way through a handler.
type call struct {
	*http.Request
	id    string // request id
	who   cloud.Principal
	rules *listRules
}

// authorize finds out who calls and whether the route is for them.
func (a *API) authorize(c *call, needed access) error {
	if needed == anyone {
		return nil
	}
	scheme, key, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return cloud.Refuse(cloud.ErrUnauthorized, "the header Authorization: Bearer API-KEY is missing")
	}
	who, err := a.authenticate(c, strings.TrimSpace(key))
	if err != nil {
		return err
	}
	c.who = who
	if needed == administrators && !who.Administrator {
		return cloud.Refuse(cloud.ErrForbidden, "the API key is not in the group Administrators")
	}
	return nil
}

// authenticate finds out whose key it is. Whoever tries too many wrong ones is
// told to wait.
func (a *API) authenticate(c *call, key string) (cloud.Principal, error) {
	who, err := a.service.Authenticate(c.Context(), secret.New(key))
	if errors.Is(err, cloud.ErrUnauthorized) {
		if wait := a.wrongKeys.failed(addressOf(c.Request), a.now()); wait > 0 {
			return cloud.Principal{}, &tooManyError{wait}
		}
	}
	return who, err
}

// audit has what the request changes recorded. Requests to devices change
// nothing of the service, and what a program subscribes to is for it to know:
// there may be thousands of both.
func (c *call) audit(row route) {
	if row.access == anyone || slices.ContainsFunc([]string{"/v2/endpoints/", deviceRequests, "/v2/subscriptions/"}, func(traffic string) bool {
		return strings.HasPrefix(row.path, traffic)
	}) {
		return
	}
	about, _ := objectid.Normalize(c.PathValue("id"))
	if about == "" && strings.HasPrefix(row.path, "/v3/api-keys/me") {
		about = c.who.KeyID
	}
	c.Request = c.WithContext(cloud.WithAudit(c.Context(), c.who, c.RemoteAddr, row.method+" "+row.path, about))
}

// pathID is the id in the path. Something else than an id names nothing.
func (c *call) pathID() (string, error) {
	id, ok := objectid.Normalize(c.PathValue("id"))
	if !ok {
		return "", cloud.ErrNotFound
	}
	return id, nil
}

// decode reads the JSON body into a struct of pointers, where nil means that
// a field is absent or null. Wrong types are refused, unknown keys ignored.
func (c *call) decode(into any) error {
	text, err := io.ReadAll(io.LimitReader(c.Body, maxBody+1))
	if err != nil {
		return cloud.Refuse(errBody, "the body cannot be read")
	}
	if len(text) > maxBody {
		return errTooLarge
	}
	err = json.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), into) // a mark that Windows programs put first
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) && mistyped.Field != "" {
		return refuseType(mistyped)
	}
	if err != nil || bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
		return cloud.Refuse(errBody, "the body is not %s in JSON", typeName(reflect.TypeOf(into).Elem()))
	}
	return nil
}

func refuseType(mistyped *json.UnmarshalTypeError) error {
	name := mistyped.Field
	if outer, own, found := strings.Cut(name, "."); found && outer != strings.ToLower(outer) {
		name = own // a struct within the body's, whose fields are the body's own
	}
	return cloud.RefuseField(name, "is %s instead of %s", valueName(mistyped.Value), typeName(mistyped.Type))
}

// valueName is what json calls a value, in the words of typeName.
func valueName(value string) string {
	kind, _, _ := strings.Cut(value, " ") // of a number, what it is follows
	switch kind {
	case "array", "object":
		return "an " + kind
	case "bool":
		return "true or false"
	default:
		return "a " + kind
	}
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "a whole number"
	}
}
