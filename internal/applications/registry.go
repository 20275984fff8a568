// Package applications is the Unix socket over which programs on the device
// publish LwM2M resources of their own: the protocol of
// docs/device-applications.md, its limits, and who may connect.
//
// It knows no server and keeps no values: internal/device does, through
// Registry, and is its only caller.
package applications

import (
	"errors"

	"mbl/internal/lwm2m"
)

// Registry is where the resources of applications live. Its errors are shown
// to the application. Calls for one application come one after the other.
type Registry interface {
	// Publish adds resources or replaces the application's own: all or none.
	Publish(app *App, resources []Resource) error
	// Set changes the values of resources that the application published: all
	// or none.
	Set(app *App, values []Value) error
	// Withdraw removes the application's resources under a path.
	Withdraw(app *App, path lwm2m.Path) error
	// Leave removes all of the application's resources: it is gone.
	Leave(app *App)
}

// Type is the type of a resource's value (OMA LwM2M 1.0 appendix C).
type Type string

// The types, as applications write them.
const (
	String  Type = "string"
	Integer Type = "integer"
	Float   Type = "float"
	Boolean Type = "boolean"
	Opaque  Type = "opaque" // Base64 in JSON
	Time    Type = "time"   // seconds since 1970
)

// Resource is what an application publishes.
type Resource struct {
	Path       lwm2m.Path // object, instance, resource
	Type       Type       // of its value
	Value      any        // string, int64 (Integer, Time), float64, bool or []byte; nil where it is not readable
	Readable   bool
	Writable   bool
	Executable bool
}

// Value is a new value of a resource.
type Value struct {
	Path lwm2m.Path
	Of   func(Type) (any, error) // reads it as that type
}

// Errors of App.Write and App.Execute.
var (
	// ErrGone says that the application has left.
	ErrGone = errors.New("the application has left")
	// ErrSilent says that the application did not answer in time.
	ErrSilent = errors.New("the application does not answer")
)

// RefusedError is an application's own refusal.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }
