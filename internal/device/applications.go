package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mbl/internal/applications"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

const (
	// maxPublished is how many resources one application may have.
	maxPublished = 256
	// settleTime is how long comings and goings of resources are collected
	// before the server is told.
	settleTime = time.Second
)

// isReserved tells the objects that are the device's own, or that no server
// expects to be an application's: LwM2M's, and those of updates and
// certificates.
func isReserved(object uint16) bool {
	return object <= 5 || object == 21 ||
		slices.Contains([]uint16{objectComponent, objectFirmware, objectMetadata, objectEnrollment}, object)
}

// objectEnrollment is the original's object for renewing certificates.
const objectEnrollment uint16 = 35011

// serveApplications accepts applications until ctx ends; the function it
// returns waits for that.
func (a *agent) serveApplications(ctx context.Context) (wait func()) {
	if a.Applications == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.Applications.Serve(ctx, publisher{a.tree, a.wishes}); err != nil {
			a.Log.Error("no more applications are accepted", "error", err)
		}
	}()
	return func() { <-done }
}

// publisher puts the resources of applications into the tree.
type publisher struct {
	tree   *tree
	wishes *wishes
}

var _ applications.Registry = publisher{}

// dataTypes are the types of applications, in the device's words.
var dataTypes = map[applications.Type]dataType{
	applications.String: typeText, applications.Integer: typeInteger, applications.Float: typeFloat,
	applications.Boolean: typeBoolean, applications.Opaque: typeOpaque, applications.Time: typeTime,
}

// Publish implements applications.Registry.
func (p publisher) Publish(app *applications.App, published []applications.Resource) error {
	var resources []*resource
	for _, r := range published {
		if isReserved(r.Path[0]) {
			return fmt.Errorf("%v: object %d is the device's own", r.Path, r.Path[0])
		}
		resources = append(resources, p.resource(app, r))
	}
	if err := p.tree.putAtMost(maxPublished, owner(app.ID), resources...); err != nil {
		return err
	}
	for _, r := range resources {
		p.tree.Changed(r.path)
	}
	p.wishes.tellSoon(settleTime)
	return nil
}

// resource is how the server sees what an application published.
func (p publisher) resource(app *applications.App, published applications.Resource) *resource {
	r := &resource{path: published.Path, takes: dataTypes[published.Type], observable: published.Readable}
	current := &holder{value: valueOf(r.takes, published.Value)}
	if published.Readable {
		r.read, r.set = current.get, current.set
	}
	if published.Writable {
		r.write = func(ctx context.Context, v value) *coap.Response {
			if err := app.Write(ctx, r.path, v.native()); err != nil {
				return &coap.Response{Code: codeOf(err)}
			}
			if current.set(v) && r.read != nil {
				p.tree.Changed(r.path)
			}
			return &coap.Response{Code: coap.Changed}
		}
	}
	if published.Executable {
		r.execute = func(ctx context.Context, arguments []byte) *coap.Response {
			if err := app.Execute(ctx, r.path, string(arguments)); err != nil {
				return refuse(codeOf(err), err.Error())
			}
			return &coap.Response{Code: coap.Changed}
		}
	}
	return r
}

// codeOf is what the server hears when an application does not do what it was
// asked.
func codeOf(err error) coap.Code {
	var refused *applications.RefusedError
	switch {
	case errors.As(err, &refused):
		return coap.BadRequest
	case errors.Is(err, applications.ErrGone):
		return coap.NotFound
	default:
		return coap.GatewayTimeout
	}
}

// Set implements applications.Registry.
func (p publisher) Set(app *applications.App, values []applications.Value) error {
	var changes []func()
	for _, each := range values {
		r := p.tree.find(each.Path)
		if r == nil || r.owner != owner(app.ID) || r.set == nil {
			return fmt.Errorf("%v: publish it first, with a value", each.Path)
		}
		native, err := each.Of(typeNames[r.takes])
		if err != nil {
			return fmt.Errorf("%v: %w", each.Path, err)
		}
		changes = append(changes, func() {
			if r.set(valueOf(r.takes, native)) {
				p.tree.Changed(r.path)
			}
		})
	}
	for _, change := range changes {
		change()
	}
	return nil
}

// typeNames is dataTypes the other way round.
var typeNames = map[dataType]applications.Type{
	typeText: applications.String, typeInteger: applications.Integer, typeFloat: applications.Float,
	typeBoolean: applications.Boolean, typeOpaque: applications.Opaque, typeTime: applications.Time,
}

// Withdraw implements applications.Registry.
func (p publisher) Withdraw(app *applications.App, path lwm2m.Path) error {
	if !p.tree.remove(owner(app.ID), path) {
		return fmt.Errorf("%v: nothing of yours is there", path)
	}
	p.wishes.tellSoon(settleTime)
	return nil
}

// Leave implements applications.Registry.
func (p publisher) Leave(app *applications.App) {
	if p.tree.remove(owner(app.ID), nil) {
		p.wishes.tellSoon(settleTime)
	}
}

// holder keeps the present value of a resource.
type holder struct {
	mu    sync.Mutex
	value value
}

func (h *holder) get() value {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.value
}

// set tells whether the value is another one.
func (h *holder) set(v value) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := string(h.value.plain) != string(v.plain)
	h.value = v
	return changed
}
