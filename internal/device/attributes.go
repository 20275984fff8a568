package device

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// notificationRules are a path's attributes of class notification (LwM2M 1.0,
// section 5.1.2): when an observer is to be told.
type notificationRules struct {
	pmin, pmax *float64 // seconds
	gt, lt, st *float64 // only of numbers
}

// attributes are what the server wrote, by path. They stay when a connection
// is lost.
type attributes struct {
	mu     sync.Mutex
	byPath map[string]notificationRules
}

func newAttributes() *attributes { return &attributes{byPath: map[string]notificationRules{}} }

// write takes attributes as a request's queries have them (LwM2M 1.0, section
// 5.4.4): a name without a value takes an attribute away. Limits and steps are
// for numbers alone.
func (a *attributes) write(path lwm2m.Path, numeric bool, queries []string) coap.Code {
	a.mu.Lock()
	defer a.mu.Unlock()
	rules := a.byPath[path.String()]
	for _, query := range queries {
		name, text, _ := strings.Cut(query, "=")
		at := rules.attribute(name)
		if at == nil {
			return coap.BadRequest
		}
		*at = nil
		if text == "" {
			continue
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n < 0 && name != "gt" && name != "lt" {
			return coap.BadRequest
		}
		*at = &n
	}
	if !rules.consistent() || !numeric && (rules.gt != nil || rules.lt != nil || rules.st != nil) {
		return coap.BadRequest
	}
	a.byPath[path.String()] = rules
	return coap.Changed
}

func (r *notificationRules) attribute(name string) **float64 {
	switch name {
	case "pmin":
		return &r.pmin
	case "pmax":
		return &r.pmax
	case "gt":
		return &r.gt
	case "lt":
		return &r.lt
	case "st":
		return &r.st
	default:
		return nil
	}
}

// consistent: lt + 2*st < gt, and pmin is not above pmax.
func (r *notificationRules) consistent() bool {
	if r.gt != nil && r.lt != nil && *r.lt+2*valueOr(r.st, 0) >= *r.gt {
		return false
	}
	return r.pmax == nil || valueOr(r.pmin, 0) <= *r.pmax
}

func valueOr(n *float64, otherwise float64) float64 {
	if n == nil {
		return otherwise
	}
	return *n
}

// of are the rules that count for a path: its own, else those above it.
func (a *attributes) of(path lwm2m.Path) notificationRules {
	a.mu.Lock()
	defer a.mu.Unlock()
	var rules notificationRules
	for level := 1; level <= len(path); level++ {
		nearer := a.byPath[path[:level].String()]
		for _, name := range attributeNames() {
			if n := *nearer.attribute(name); n != nil {
				*rules.attribute(name) = n
			}
		}
	}
	return rules
}

func attributeNames() []string { return []string{"pmin", "pmax", "gt", "lt", "st"} }

// link are a path's own attributes, as a discovery shows them.
func (a *attributes) link(path string) []lwm2m.Attribute {
	a.mu.Lock()
	defer a.mu.Unlock()
	rules := a.byPath[path]
	var shown []lwm2m.Attribute
	for _, name := range attributeNames() {
		if n := *rules.attribute(name); n != nil {
			shown = append(shown, lwm2m.Attribute{Name: name, Value: strconv.FormatFloat(*n, 'f', -1, 64)})
		}
	}
	return shown
}

// due tells whether an observer is to be told, so long after the last time.
func (r notificationRules) due(since time.Duration, changed bool, before, now float64) bool {
	switch {
	case since.Seconds() < valueOr(r.pmin, 0):
		return false
	case r.pmax != nil && *r.pmax > 0 && since.Seconds() >= *r.pmax:
		return true
	case r.gt == nil && r.lt == nil && r.st == nil:
		return changed
	}
	crossed := func(limit *float64) bool { return limit != nil && (before < *limit) != (now < *limit) }
	return crossed(r.gt) || crossed(r.lt) || r.st != nil && math.Abs(now-before) >= *r.st
}

// discovered adds the attributes of what was written to links.
func (a *attributes) discovered(links []lwm2m.Link) []lwm2m.Link {
	for i := range links {
		links[i].Attributes = slices.Concat(links[i].Attributes, a.link(links[i].Target))
	}
	return links
}
