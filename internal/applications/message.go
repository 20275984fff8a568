package applications

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"mbl/internal/lwm2m"
)

// Limits of what one application may say and have.
const (
	maxLine      = 64 << 10 // bytes
	maxValue     = 8 << 10  // bytes of a text or opaque value
	maxResources = 256      // in one message
)

// message is a line from an application.
type message struct {
	ID        json.RawMessage            `json:"id"` // comes back in the reply
	Do        string                     `json:"do"`
	Resources []publication              `json:"resources"`
	Values    map[string]json.RawMessage `json:"values"`
	Paths     []string                   `json:"paths"`

	Answer *uint64 `json:"answer"` // the number of our request
	Error  string  `json:"error"`
}

// publication is a resource as an application describes it.
type publication struct {
	Path       string          `json:"path"`
	Type       Type            `json:"type"`
	Value      json.RawMessage `json:"value"`
	Readable   *bool           `json:"readable"` // missing: yes, unless it is executable
	Writable   bool            `json:"writable"`
	Executable bool            `json:"executable"`
}

// reply answers a message.
type reply struct {
	ID    json.RawMessage `json:"id,omitempty"`
	OK    bool            `json:"ok,omitempty"`
	Error string          `json:"error,omitempty"`
}

// request is what an application is asked to do.
type request struct {
	Do        string  `json:"do"` // "write" or "execute"
	Request   uint64  `json:"request"`
	Path      string  `json:"path"`
	Value     any     `json:"value,omitempty"`
	Arguments *string `json:"arguments,omitempty"`
}

// parseMessage reads one line. Fields it does not know are mistakes: a
// misspelt one must not be silently nothing.
func parseMessage(line []byte) (*message, error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	m := &message{}
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("not a message: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a message: one JSON object a line")
	}
	return m, nil
}

// resources reads what is published.
func (m *message) resources() ([]Resource, error) {
	if len(m.Resources) == 0 || len(m.Resources) > maxResources {
		return nil, fmt.Errorf("publish 1 to %d resources at a time", maxResources)
	}
	var resources []Resource
	for _, p := range m.Resources {
		resource, err := p.resource()
		if err != nil {
			return nil, fmt.Errorf("resource %q: %w", p.Path, err)
		}
		resources = append(resources, resource)
	}
	return resources, nil
}

func (p *publication) resource() (Resource, error) {
	path, err := resourcePath(p.Path)
	if err != nil {
		return Resource{}, err
	}
	r := Resource{Path: path, Type: p.Type, Readable: !p.Executable, Writable: p.Writable, Executable: p.Executable}
	if p.Readable != nil {
		r.Readable = *p.Readable
	}
	switch {
	case r.Executable && (r.Readable || r.Writable):
		return Resource{}, errors.New("what is executable is neither readable nor writable")
	case r.Executable:
		return r, nil
	case !r.Readable && !r.Writable:
		return Resource{}, errors.New("it is neither readable, writable nor executable")
	case !slices.Contains([]Type{String, Integer, Float, Boolean, Opaque, Time}, r.Type):
		return Resource{}, errors.New("type is one of string, integer, float, boolean, opaque, time")
	case !r.Readable:
		return r, nil
	}
	r.Value, err = valueOf(p.Value, r.Type)
	return r, err
}

// resourcePath reads "/3303/0/5700".
func resourcePath(text string) (lwm2m.Path, error) {
	path, err := lwm2m.ParsePath(text)
	if err != nil {
		return nil, err
	}
	if len(path) != 3 {
		return nil, errors.New("a path is /object/instance/resource")
	}
	return path, nil
}

// values reads what is set.
func (m *message) values() ([]Value, error) {
	if len(m.Values) == 0 || len(m.Values) > maxResources {
		return nil, fmt.Errorf("set 1 to %d values at a time", maxResources)
	}
	var values []Value
	for _, text := range slices.Sorted(maps.Keys(m.Values)) {
		path, err := resourcePath(text)
		if err != nil {
			return nil, fmt.Errorf("resource %q: %w", text, err)
		}
		raw := m.Values[text]
		values = append(values, Value{Path: path, Of: func(t Type) (any, error) { return valueOf(raw, t) }})
	}
	return values, nil
}

// valueOf reads a JSON value as a type.
func valueOf(raw json.RawMessage, t Type) (any, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, errors.New("it has no value")
	}
	switch t {
	case Integer, Time:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return n, wrongValue(err, "an integer")
	case Float:
		var f float64
		err := json.Unmarshal(raw, &f)
		if err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			err = errors.New("not finite")
		}
		return f, wrongValue(err, "a number")
	case Boolean:
		var b bool
		return b, wrongValue(json.Unmarshal(raw, &b), "true or false")
	case Opaque:
		var data []byte
		if err := json.Unmarshal(raw, &data); err != nil {
			return nil, wrongValue(err, "Base64")
		}
		return data, tooLong(len(data))
	default:
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, wrongValue(err, "a text")
		}
		return text, tooLong(len(text))
	}
}

func wrongValue(err error, want string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("its value is not %s", want)
}

func tooLong(length int) error {
	if length > maxValue {
		return fmt.Errorf("its value has %d bytes, more than %d", length, maxValue)
	}
	return nil
}
