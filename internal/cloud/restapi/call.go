package restapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
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
	who, err := a.service.Authenticate(c.Context(), secret.New(strings.TrimSpace(key)))
	if err != nil {
		return err
	}
	c.who = who
	if needed == administrators && !who.Administrator {
		return cloud.Refuse(cloud.ErrForbidden, "the API key is not in the group Administrators")
	}
	return nil
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
	err = json.Unmarshal(text, into)
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return refuseType(mistyped)
	}
	if err != nil {
		return cloud.Refuse(errBody, "the body is not a JSON object")
	}
	return nil
}

func refuseType(mistyped *json.UnmarshalTypeError) error {
	if mistyped.Field == "" {
		return cloud.Refuse(errBody, "the body is not a JSON object")
	}
	return cloud.RefuseField(mistyped.Field, "is a %s instead of %s", mistyped.Value, typeName(mistyped.Type))
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
		return "a number"
	}
}
