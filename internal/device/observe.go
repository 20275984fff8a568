package device

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

const (
	// maxObservations is how many observations are kept of the server; a
	// further request is answered as a mere reading.
	maxObservations = 64
	// lookPeriod is how often observed values are looked at.
	lookPeriod = time.Second
	// clockStep is by how much the clock must have moved on to count as
	// changed: it does so all the time.
	clockStep = 10 * time.Second
)

// observation is a path that the server observes (RFC 7641).
type observation struct {
	request *coap.Request
	path    lwm2m.Path
	sentAt  time.Time
	sent    string  // state that was reported last
	number  float64 // the same as a number
}

// noteChange has what is observed looked at now.
func (a *agent) noteChange() {
	select {
	case a.changes <- struct{}{}:
	default:
	}
}

// observations are what the server observes on one connection. They end with
// it: the server asks again.
type observations struct {
	tree       *tree
	attributes *attributes
	changes    <-chan struct{} // an element when a value has changed

	mu      sync.Mutex
	all     []*observation
	counter uint32 // Observe option of the latest notification
}

// handle answers the LwM2M server's requests: as the resources do, and what is
// about their observation.
func (w *observations) handle(ctx context.Context, req *coap.Request) *coap.Response {
	path, err := lwm2m.PathOf(req.Path)
	if err != nil || len(path) == 0 || len(w.tree.under(path[:min(len(path), 3)])) == 0 {
		return w.tree.handle(ctx, req)
	}
	switch {
	case req.Code == coap.PUT && len(req.Query) > 0 && len(req.Payload) == 0:
		_, _, numeric := w.tree.state(path)
		return &coap.Response{Code: w.attributes.write(path, numeric, req.Query)}
	case req.Code == coap.GET && req.Accept != nil && *req.Accept == lwm2m.FormatLinks && len(path) <= 3:
		links := linkText(w.attributes.discovered(targets(w.tree.links(path))))
		return &coap.Response{Code: coap.Content, ContentFormat: req.Accept, Payload: links}
	case req.Code == coap.GET:
		return w.answer(path, req, w.tree.handle(ctx, req))
	default:
		return w.tree.handle(ctx, req)
	}
}

// answer begins or ends an observation as the request wants, and lets the
// answer to it say so (RFC 7641 §4.1).
func (w *observations) answer(path lwm2m.Path, req *coap.Request, response *coap.Response) *coap.Response {
	if req.Observe == nil {
		return response
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = slices.DeleteFunc(w.all, func(each *observation) bool { return bytes.Equal(each.request.Token, req.Token) })
	if *req.Observe != 0 || !response.Code.IsSuccess() || len(w.all) == maxObservations {
		return response
	}
	state, number, _ := w.tree.state(path)
	w.all = append(w.all, &observation{request: req, path: path, sentAt: time.Now(), sent: state, number: number})
	response.Observe = w.next()
	return response
}

// next is the number of the next notification. w.mu is held.
func (w *observations) next() *uint32 {
	w.counter = (w.counter + 1) & (1<<24 - 1)
	number := w.counter
	return &number
}

// begin has run do its work, and returns what ends it.
func (w *observations) begin(ctx context.Context, session *coap.Session) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx, session)
	}()
	return func() {
		cancel()
		<-done
	}
}

// run reports what is observed until ctx or the session ends.
func (w *observations) run(ctx context.Context, session *coap.Session) {
	ticker := time.NewTicker(lookPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-w.changes:
		case <-ticker.C:
		case <-ctx.Done():
			return
		case <-session.Done():
			return
		}
		for _, due := range w.due(time.Now()) {
			w.report(ctx, session, due)
		}
	}
}

// due are the observations with something to report.
func (w *observations) due(now time.Time) []*observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	var due []*observation
	for _, each := range w.all {
		state, number, _ := w.tree.state(each.path)
		rules := w.attributes.of(each.path)
		if rules.due(now.Sub(each.sentAt), state != each.sent, each.number, number) {
			due = append(due, each)
		}
	}
	return due
}

// report sends one notification. An observation that the server rejects, or
// does not acknowledge, is over (RFC 7641 §4.5).
func (w *observations) report(ctx context.Context, session *coap.Session, each *observation) {
	w.mu.Lock()
	response := w.tree.read(each.path, each.request.Accept)
	each.sent, each.number, _ = w.tree.state(each.path)
	each.sentAt = time.Now()
	response.Observe = w.next()
	w.mu.Unlock()
	err := session.Notify(ctx, each.request, response)
	if errors.Is(err, coap.ErrReset) || errors.Is(err, coap.ErrTimeout) {
		w.mu.Lock()
		w.all = slices.DeleteFunc(w.all, func(other *observation) bool { return other == each })
		w.mu.Unlock()
	}
}

// restless tells whether a value changes all the time: clock and free memory.
func restless(path lwm2m.Path) bool {
	return path[0] == lwm2m.ObjectDevice && (path[2] == lwm2m.DeviceCurrentTime || path[2] == lwm2m.DeviceMemoryFree)
}

// state is what is compared to tell whether something under a path has
// changed, and the same as a number where it is one. What is restless does not
// count beside others, and the clock alone counts in steps.
func (t *tree) state(path lwm2m.Path) (state string, number float64, numeric bool) {
	clock := lwm2m.Path{lwm2m.ObjectDevice, 0, lwm2m.DeviceCurrentTime}
	if slices.Equal(path, clock) {
		now := time.Now()
		return now.Truncate(clockStep).String(), float64(now.Unix()), true
	}
	var items []lwm2m.TLV
	for _, r := range t.under(path[:min(len(path), 3)]) {
		if r.read == nil || len(path) < 3 && restless(r.path) {
			continue
		}
		v := r.read()
		items = append(items, v.as(r.id()))
		if len(path) == 3 && (v.kind == typeInteger || v.kind == typeFloat || v.kind == typeTime) {
			number, _ = strconv.ParseFloat(string(v.plain), 64) // made by us
			numeric = true
		}
	}
	encoded, err := lwm2m.EncodeTLV(items...)
	if err != nil { // it cannot be read either
		return "", 0, false
	}
	return string(encoded), number, numeric
}
