package device

import (
	"context"
	"slices"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// resource is one resource of the device. What it cannot do is nil.
type resource struct {
	path       lwm2m.Path // object, instance, resource
	owner      owner
	kind       string   // link attribute rt; may be empty
	announced  bool     // with its value, in the registration
	observable bool     // its changes reach tree.Changed
	takes      dataType // of write
	read       func() value
	set        func(v value) bool // of an application: a new value; tells whether it is another one
	write      func(ctx context.Context, v value) *coap.Response
	execute    func(ctx context.Context, arguments []byte) *coap.Response
}

func (r *resource) id() uint16 { return r.path[2] }

func (r *resource) isAt(path lwm2m.Path) bool { return slices.Equal(r.path, path) }

// link is how the registration tells the server of the resource.
func (r *resource) link() lwm2m.Link {
	link := lwm2m.Link{Target: r.path.String()}
	if r.kind != "" {
		link.Attributes = append(link.Attributes, lwm2m.Attribute{Name: "rt", Value: r.kind})
	}
	if r.read != nil {
		link.Attributes = append(link.Attributes, lwm2m.Attribute{Name: "obs", Bare: true})
	}
	if r.announced {
		link.Attributes = append(link.Attributes, lwm2m.Attribute{Name: "v", Value: r.read().attribute()})
	}
	return link
}

// static is a resource whose value never changes and is told in the
// registration.
func static(object, id uint16, kind string, v value) *resource {
	return &resource{path: lwm2m.Path{object, 0, id}, kind: kind, announced: true, read: func() value { return v }}
}

// readable is a resource whose value is looked up when it is asked for.
func readable(object, id uint16, read func() value) *resource {
	return &resource{path: lwm2m.Path{object, 0, id}, read: read}
}

// executable is a resource that is answered 2.04 first and acts afterwards:
// the act may end the session.
func executable(object, id uint16, act func()) *resource {
	return &resource{path: lwm2m.Path{object, 0, id}, execute: func(context.Context, []byte) *coap.Response {
		return &coap.Response{Code: coap.Changed, Then: func(context.Context) { act() }}
	}}
}
