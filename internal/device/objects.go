package device

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// want is what the server asks the device to do with its registration.
type want int

const (
	wantUpdate want = iota
	wantRegistration
)

// objects are the LwM2M objects of the device, as its server sees them:
// Server (1), Device (3) and the metadata of updates (10255). Nothing of them
// can be observed.
type objects struct {
	resources []resource
	seconds   atomic.Int64 // lifetime
	wanted    chan want    // read by whoever keeps the registration
}

func (a *agent) newObjects() *objects {
	o := &objects{wanted: make(chan want, 1)}
	o.setLifetime(a.initialLifetime())
	o.resources = a.newResources(o)
	return o
}

// initialLifetime is what the user wants, else what a server wrote, else the
// default.
func (a *agent) initialLifetime() time.Duration {
	if a.Lifetime > 0 {
		return a.Lifetime
	}
	text, err := a.Store.Get(itemLifetime)
	if err != nil {
		return DefaultLifetime
	}
	n, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		return DefaultLifetime
	}
	return max(time.Duration(n)*time.Second, MinLifetime)
}

func (o *objects) lifetime() time.Duration { return time.Duration(o.seconds.Load()) * time.Second }

func (o *objects) setLifetime(d time.Duration) { o.seconds.Store(int64(d / time.Second)) }

// want notes a wish. One that is not yet fulfilled is enough.
func (o *objects) want(w want) {
	select {
	case o.wanted <- w:
	default:
	}
}

// links is the body of the registration.
func (o *objects) links() []byte { return []byte(lwm2m.Links(o.linksUnder(nil))) }

// linksUnder lists the object instances and resources under a path.
func (o *objects) linksUnder(path lwm2m.Path) []lwm2m.Link {
	var links []lwm2m.Link
	listed := map[uint16]bool{}
	for _, r := range o.resources {
		if !isUnder(r.path(), path) {
			continue
		}
		if !listed[r.object] && len(path) < 3 {
			listed[r.object] = true
			links = append(links, lwm2m.Link{Target: lwm2m.Path{r.object, 0}.String()})
		}
		links = append(links, r.link())
	}
	return links
}

func isUnder(path, parent lwm2m.Path) bool {
	return len(path) >= len(parent) && slices.Equal(path[:len(parent)], parent)
}

// handle answers the server's requests.
func (o *objects) handle(_ context.Context, req *coap.Request) *coap.Response {
	if slices.Equal(req.Path, []string{".well-known", "core"}) && req.Code == coap.GET {
		return &coap.Response{Code: coap.Content, ContentFormat: format(lwm2m.FormatLinks), Payload: o.links()}
	}
	path, err := lwm2m.PathOf(req.Path)
	if err != nil || len(path) == 0 || len(o.linksUnder(path)) == 0 {
		return &coap.Response{Code: coap.NotFound}
	}
	switch req.Code {
	case coap.GET:
		return o.read(path, req.Accept)
	case coap.PUT:
		return &coap.Response{Code: o.write(path, req)}
	case coap.POST:
		return o.execute(path)
	default:
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
}

// find returns the resource at a path, nil if the path is not a resource's.
func (o *objects) find(path lwm2m.Path) *resource {
	for i := range o.resources {
		if slices.Equal(o.resources[i].path(), path) {
			return &o.resources[i]
		}
	}
	return nil
}

func (o *objects) read(path lwm2m.Path, accept *uint16) *coap.Response {
	if accept != nil && *accept == lwm2m.FormatLinks {
		links := []byte(lwm2m.Links(o.linksUnder(path)))
		return &coap.Response{Code: coap.Content, ContentFormat: accept, Payload: links}
	}
	if r := o.find(path); r != nil {
		return r.answer(accept)
	}
	return o.answerAll(path, accept)
}

func (r *resource) answer(accept *uint16) *coap.Response {
	if r.read == nil {
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
	v := r.read()
	switch {
	case accept == nil || *accept == v.format:
		return &coap.Response{Code: coap.Content, ContentFormat: format(v.format), Payload: v.plain}
	case isTLV(*accept):
		return answerTLV(*accept, v.as(r.id))
	default:
		return &coap.Response{Code: coap.NotAcceptable}
	}
}

// answerAll answers for an object or an instance. An object holds its one
// instance, an instance its resources.
func (o *objects) answerAll(path lwm2m.Path, accept *uint16) *coap.Response {
	form := lwm2m.FormatTLV
	if accept != nil {
		form = *accept
	}
	if !isTLV(form) {
		return &coap.Response{Code: coap.NotAcceptable}
	}
	var items []lwm2m.TLV
	for i := range o.resources {
		if r := &o.resources[i]; isUnder(r.path(), path) && r.read != nil {
			items = append(items, r.read().as(r.id))
		}
	}
	if len(path) == 1 {
		items = []lwm2m.TLV{{Kind: lwm2m.ObjectInstance, ID: 0, Children: items}}
	}
	return answerTLV(form, items...)
}

func answerTLV(form uint16, items ...lwm2m.TLV) *coap.Response {
	payload, err := lwm2m.EncodeTLV(items...)
	if err != nil {
		return &coap.Response{Code: coap.InternalServerError}
	}
	return &coap.Response{Code: coap.Content, ContentFormat: format(form), Payload: payload}
}

func isTLV(form uint16) bool { return form == lwm2m.FormatTLV || form == lwm2m.FormatOldTLV }

func (o *objects) write(path lwm2m.Path, req *coap.Request) coap.Code {
	r := o.find(path)
	if r == nil || r.write == nil {
		return coap.MethodNotAllowed
	}
	text, code := textOf(req, r.id)
	if code != 0 {
		return code
	}
	return r.write(text)
}

// textOf is a written number as text, whichever format it came in.
func textOf(req *coap.Request, id uint16) ([]byte, coap.Code) {
	if req.ContentFormat == nil || *req.ContentFormat == lwm2m.FormatText {
		return bytes.TrimSpace(req.Payload), 0
	}
	if !isTLV(*req.ContentFormat) {
		return nil, coap.UnsupportedContentFormat
	}
	items, err := lwm2m.DecodeTLV(req.Payload)
	if err != nil || len(items) != 1 || items[0].Kind != lwm2m.Resource || items[0].ID != id {
		return nil, coap.BadRequest
	}
	n, err := items[0].Integer()
	if err != nil {
		return nil, coap.BadRequest
	}
	return []byte(strconv.FormatInt(n, 10)), 0
}

// execute answers first and acts afterwards: the act may end the session.
func (o *objects) execute(path lwm2m.Path) *coap.Response {
	r := o.find(path)
	if r == nil || r.execute == nil {
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
	return &coap.Response{Code: coap.Changed, Then: func(context.Context) { r.execute() }}
}
