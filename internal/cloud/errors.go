package cloud

import (
	"errors"
	"fmt"
)

// The kinds of refusal. Every error of a Service that is a refusal wraps one
// of them (errors.Is); any other error is a fault of the service itself. The
// doors translate kinds to status codes, once.
var (
	ErrInvalid      = errors.New("invalid request")
	ErrUnauthorized = errors.New("not authenticated")
	ErrForbidden    = errors.New("not allowed")
	ErrLimit        = errors.New("limit reached")
	ErrNotFound     = errors.New("not found")
	ErrConflict     = errors.New("conflict")
	ErrUnavailable  = errors.New("not possible as things are now")
)

// ErrNotConnected is returned when a device has no session now.
var ErrNotConnected = errors.New("device is not connected")

// Refusal is an error of one of the kinds above, with words that may be shown
// to whoever asked: it never holds a secret or an internal detail.
type Refusal struct {
	Kind    error          // one of the sentinels
	Message string         // one sentence without a full stop
	Fields  []FieldProblem // which parts of the request are wrong; may be nil
}

// FieldProblem says what is wrong with one field or parameter of a request.
type FieldProblem struct {
	Name    string
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func (r *Refusal) Unwrap() error { return r.Kind }

// Refuse makes a Refusal of the given kind.
func Refuse(kind error, format string, args ...any) *Refusal {
	return &Refusal{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// RefuseField makes a Refusal of kind ErrInvalid about one field.
func RefuseField(name, format string, args ...any) *Refusal {
	message := fmt.Sprintf(format, args...)
	return &Refusal{
		Kind:    ErrInvalid,
		Message: name + " " + message,
		Fields:  []FieldProblem{{Name: name, Message: message}},
	}
}
