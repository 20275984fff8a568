package device

import (
	"bytes"
	"context"
	"slices"
	"unicode/utf8"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// handle answers the LwM2M server's requests.
func (t *tree) handle(ctx context.Context, req *coap.Request) *coap.Response {
	if slices.Equal(req.Path, []string{".well-known", "core"}) && req.Code == coap.GET {
		return &coap.Response{Code: coap.Content, ContentFormat: format(lwm2m.FormatLinks), Payload: linkText(t.links(nil))}
	}
	path, err := lwm2m.PathOf(req.Path)
	if err != nil || len(path) == 0 || len(t.under(path[:min(len(path), 3)])) == 0 {
		return &coap.Response{Code: coap.NotFound}
	}
	switch req.Code {
	case coap.GET:
		return t.read(path, req.Accept)
	case coap.PUT:
		return t.write(ctx, path, req)
	case coap.POST:
		return t.post(ctx, path, req)
	default:
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
}

func linkText(links []lwm2m.Link) []byte { return []byte(lwm2m.Links(links)) }

// targets are links as a Discover shows them: without the attributes that are
// none of LwM2M's own (LwM2M 1.0 section 5.4.2).
func targets(links []lwm2m.Link) []lwm2m.Link {
	for i := range links {
		links[i].Attributes = nil
	}
	return links
}

// withoutKinds takes the resource types out of links. The original's are no
// words that RFC 6690 section 2 allows, and strict servers refuse them.
func withoutKinds(links []lwm2m.Link) []lwm2m.Link {
	for i := range links {
		links[i].Attributes = slices.DeleteFunc(links[i].Attributes, func(a lwm2m.Attribute) bool { return a.Name == "rt" })
	}
	return links
}

func (t *tree) read(path lwm2m.Path, accept *uint16) *coap.Response {
	if accept != nil && *accept == lwm2m.FormatLinks && len(path) <= 3 {
		return &coap.Response{Code: coap.Content, ContentFormat: accept, Payload: linkText(targets(t.links(path)))}
	}
	if len(path) < 3 {
		return t.readAll(path, accept)
	}
	r := t.find(path[:3])
	if r == nil {
		return &coap.Response{Code: coap.NotFound}
	}
	return r.answer(path[3:], accept)
}

// answer reads a resource, or the instance of it that rest names.
func (r *resource) answer(rest lwm2m.Path, accept *uint16) *coap.Response {
	if r.read == nil {
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
	v := r.read()
	switch {
	case len(rest) > 0:
		return answerInstance(v, rest[0], accept)
	case v.isMultiple() && accept == nil:
		return answerTLV(lwm2m.FormatTLV, v.as(r.id()))
	case accept != nil && isTLV(*accept):
		return answerTLV(*accept, v.as(r.id()))
	case v.isMultiple() || accept != nil && *accept != v.format():
		return &coap.Response{Code: coap.NotAcceptable}
	default:
		return &coap.Response{Code: coap.Content, ContentFormat: format(v.format()), Payload: v.plain}
	}
}

func answerInstance(v value, id uint16, accept *uint16) *coap.Response {
	if int(id) >= len(v.items) {
		return &coap.Response{Code: coap.NotFound}
	}
	form := lwm2m.FormatTLV
	if accept != nil {
		form = *accept
	}
	if !isTLV(form) {
		return &coap.Response{Code: coap.NotAcceptable}
	}
	return answerTLV(form, v.items[id])
}

// readAll answers for an object or an instance: an object holds its instances,
// an instance its resources.
func (t *tree) readAll(path lwm2m.Path, accept *uint16) *coap.Response {
	form := lwm2m.FormatTLV
	if accept != nil {
		form = *accept
	}
	if !isTLV(form) {
		return &coap.Response{Code: coap.NotAcceptable}
	}
	var instances []lwm2m.TLV
	for _, r := range t.under(path) {
		if last := len(instances) - 1; last < 0 || instances[last].ID != r.path[1] {
			instances = append(instances, lwm2m.TLV{Kind: lwm2m.ObjectInstance, ID: r.path[1]})
		}
		if r.read != nil {
			instance := &instances[len(instances)-1]
			instance.Children = append(instance.Children, r.read().as(r.id()))
		}
	}
	if len(path) == 2 {
		return answerTLV(form, instances[0].Children...)
	}
	return answerTLV(form, instances...)
}

func answerTLV(form uint16, items ...lwm2m.TLV) *coap.Response {
	payload, err := lwm2m.EncodeTLV(items...)
	if err != nil {
		return &coap.Response{Code: coap.InternalServerError}
	}
	return &coap.Response{Code: coap.Content, ContentFormat: format(form), Payload: payload}
}

func isTLV(form uint16) bool { return form == lwm2m.FormatTLV || form == lwm2m.FormatOldTLV }

// write is a PUT of a resource, or of an instance's resources in TLV.
func (t *tree) write(ctx context.Context, path lwm2m.Path, req *coap.Request) *coap.Response {
	switch len(path) {
	case 2:
		return t.writeInstance(ctx, path, req)
	case 3:
		return t.writeResource(ctx, path, req)
	default:
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
}

func (t *tree) writeResource(ctx context.Context, path lwm2m.Path, req *coap.Request) *coap.Response {
	r := t.find(path)
	if r == nil {
		return &coap.Response{Code: coap.NotFound}
	}
	if r.write == nil {
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
	v, code := r.written(req)
	if code != 0 {
		return &coap.Response{Code: code}
	}
	return r.write(ctx, v)
}

// written reads a request's payload, in whichever format it came.
func (r *resource) written(req *coap.Request) (value, coap.Code) {
	switch {
	case req.ContentFormat == nil || *req.ContentFormat == lwm2m.FormatText || isBareText(req):
		return valueOrRefusal(parseText(r.takes, textOf(r.takes, req.Payload)))
	case *req.ContentFormat == lwm2m.FormatOpaque && r.takes == typeOpaque:
		return opaqueValue(req.Payload), 0
	case !isTLV(*req.ContentFormat):
		return value{}, coap.UnsupportedContentFormat
	}
	items, err := lwm2m.DecodeTLV(req.Payload)
	if err != nil || len(items) != 1 || items[0].Kind != lwm2m.Resource || items[0].ID != r.id() {
		return value{}, coap.BadRequest
	}
	return valueOrRefusal(parseTLV(r.takes, items[0]))
}

// isBareText tells whether a value is sent as its text and called JSON. The Java
// SDK does so with every value, and the original's client takes whatever does
// not call itself TLV.
func isBareText(req *coap.Request) bool {
	if *req.ContentFormat != lwm2m.FormatJSON {
		return false
	}
	text := bytes.TrimSpace(req.Payload)
	return !bytes.HasPrefix(text, []byte("{")) && !bytes.HasPrefix(text, []byte("["))
}

// textOf drops the white space that command lines leave around numbers.
func textOf(kind dataType, payload []byte) string {
	if kind != typeText {
		payload = bytes.TrimSpace(payload)
	}
	return string(payload)
}

func valueOrRefusal(v value, ok bool) (value, coap.Code) {
	if !ok || v.kind == typeText && !utf8.Valid(v.plain) {
		return value{}, coap.BadRequest
	}
	return v, 0
}

// writeInstance writes several resources of one instance: none, unless all
// can be written.
func (t *tree) writeInstance(ctx context.Context, path lwm2m.Path, req *coap.Request) *coap.Response {
	changes, code := t.changesOf(path, req)
	if code != 0 {
		return &coap.Response{Code: code}
	}
	var after []func(context.Context)
	for _, c := range changes {
		answer := c.write(ctx, c.value)
		if answer.Code != coap.Changed {
			return answer
		}
		if answer.Then != nil {
			after = append(after, answer.Then)
		}
	}
	return &coap.Response{Code: coap.Changed, Then: func(ctx context.Context) {
		for _, act := range after {
			act(ctx)
		}
	}}
}

// resourceWrite is one resource that is to be written.
type resourceWrite struct {
	write func(context.Context, value) *coap.Response
	value value
}

// changesOf reads what is written to an instance, or why it cannot be.
func (t *tree) changesOf(path lwm2m.Path, req *coap.Request) ([]resourceWrite, coap.Code) {
	if req.ContentFormat == nil || !isTLV(*req.ContentFormat) {
		return nil, coap.UnsupportedContentFormat
	}
	items, err := lwm2m.DecodeTLV(req.Payload)
	if err != nil {
		return nil, coap.BadRequest
	}
	if len(items) == 1 && items[0].Kind == lwm2m.ObjectInstance && items[0].ID == path[1] {
		items = items[0].Children
	}
	var changes []resourceWrite
	for _, item := range items {
		r := t.find(lwm2m.Path{path[0], path[1], item.ID})
		switch {
		case item.Kind != lwm2m.Resource:
			return nil, coap.BadRequest
		case r == nil:
			return nil, coap.NotFound
		case r.write == nil:
			return nil, coap.MethodNotAllowed
		}
		v, code := valueOrRefusal(parseTLV(r.takes, item))
		if code != 0 {
			return nil, code
		}
		changes = append(changes, resourceWrite{r.write, v})
	}
	return changes, 0
}

// post executes a resource, or writes some resources of an instance (LwM2M 1.0
// §5.4.3, partial update).
func (t *tree) post(ctx context.Context, path lwm2m.Path, req *coap.Request) *coap.Response {
	if len(path) == 2 {
		return t.writeInstance(ctx, path, req)
	}
	r := t.find(path)
	if r == nil || r.execute == nil {
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
	return r.execute(ctx, req.Payload)
}
