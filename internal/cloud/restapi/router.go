package restapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"mbl/internal/cloud"
)

// newMux turns the table into handlers, one a path: so a wrong method and an
// unknown path are answered by us, in JSON, and not by net/http.
func newMux(api *API, table []route) *http.ServeMux {
	byPath := map[string][]route{}
	for _, row := range table {
		byPath[row.path] = append(byPath[row.path], row)
	}
	mux := http.NewServeMux()
	for pattern, rows := range byPath {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { api.dispatch(w, r, pattern, rows) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		api.run(w, r, "", func(*call) (answer, error) {
			return answer{}, cloud.Refuse(cloud.ErrNotFound, "there is no such path")
		})
	})
	return mux
}

// ServeHTTP implements http.Handler. A path is the same with and without a
// slash at its end, and nothing is ever redirected: clients would repeat a
// redirected POST as GET. A semicolon in the query is a character like others.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wanted := canonical(r.URL.EscapedPath())
	if wanted != r.URL.EscapedPath() || strings.Contains(r.URL.RawQuery, ";") {
		address := *r.URL
		address.RawPath = wanted
		address.Path, _ = url.PathUnescape(wanted) // it is a path with less in it
		address.RawQuery = strings.ReplaceAll(address.RawQuery, ";", "%3B")
		r = r.WithContext(r.Context())
		r.URL = &address
	}
	a.mux.ServeHTTP(w, r)
}

// canonical is a path as the table has it. What is escaped is part of a name,
// such as a slash in an endpoint name, and stays.
func canonical(escaped string) string {
	for strings.Contains(escaped, "//") { // clients put a path that begins with a slash behind a slash
		escaped = strings.ReplaceAll(escaped, "//", "/")
	}
	if len(escaped) > 1 {
		escaped = strings.TrimSuffix(escaped, "/")
	}
	switch {
	case path.Clean(escaped) == escaped:
		return escaped
	case strings.HasPrefix(escaped, versionTwo): // net/http would redirect it
		return versionTwo + "unknown"
	default:
		return "/unknown"
	}
}

func (a *API) dispatch(w http.ResponseWriter, r *http.Request, pattern string, rows []route) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if method == http.MethodOptions {
		w.Header().Set("Allow", methods(rows))
		a.run(w, r, pattern, func(*call) (answer, error) { return answer{status: http.StatusNoContent}, nil })
		return
	}
	at := slices.IndexFunc(rows, func(row route) bool { return row.method == method })
	if at < 0 {
		w.Header().Set("Allow", methods(rows))
		a.run(w, r, pattern, func(*call) (answer, error) { return answer{}, errMethod })
		return
	}
	row := rows[at]
	a.run(w, r, pattern, func(c *call) (answer, error) {
		if err := a.authorize(c, row.access); err != nil {
			return answer{}, err
		}
		c.rules = row.list
		c.audit(row)
		return row.handle(a, c)
	})
}

func methods(rows []route) string {
	var names []string
	for _, row := range rows {
		names = append(names, row.method)
		if row.method == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	return strings.Join(append(names, http.MethodOptions), ", ")
}

// run answers one request, whatever happens.
func (a *API) run(w http.ResponseWriter, r *http.Request, pattern string, handle func(*call) (answer, error)) {
	began := a.now()
	c := &call{Request: r, id: a.ids.New()}
	reply, err := guard(c, handle)
	if err != nil {
		reply = a.failure(c, err)
		sayHow(w.Header(), r, err)
	}
	w.Header().Set("X-Request-Id", c.id)
	took := a.now().Sub(began)
	a.observe(Observation{Method: r.Method, Route: pattern, Status: reply.status, Took: took})
	a.log.DebugContext(r.Context(), "request", "method", r.Method, "route", pattern, "status", reply.status,
		"took", took, "request_id", c.id)
	reply.write(w) // last: a websocket stays
	if r.Method == http.MethodHead {
		reply.unread()
	}
}

// errPanic is a fault of the program itself.
var errPanic = errors.New("panic")

// guard runs handle and turns a panic into an error.
func guard(c *call, handle func(*call) (answer, error)) (reply answer, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, cause, debug.Stack())
		}
	}()
	return handle(c)
}
