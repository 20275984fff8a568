package restapi

import (
	"errors"
	"fmt"
	"net/http"
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
// redirected POST as GET.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wanted := r.URL.Path
	if len(wanted) > 1 {
		wanted = strings.TrimSuffix(wanted, "/")
	}
	if path.Clean(wanted) != wanted { // net/http would redirect it
		wanted = "/unknown"
	}
	if wanted != r.URL.Path {
		address := *r.URL
		address.Path, address.RawPath = wanted, ""
		r = r.WithContext(r.Context())
		r.URL = &address
	}
	a.mux.ServeHTTP(w, r)
}

func (a *API) dispatch(w http.ResponseWriter, r *http.Request, pattern string, rows []route) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
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
		return row.handle(a, c)
	})
}

func methods(rows []route) string {
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.method
	}
	return strings.Join(names, ", ")
}

// run answers one request, whatever happens.
func (a *API) run(w http.ResponseWriter, r *http.Request, pattern string, handle func(*call) (answer, error)) {
	began := a.now()
	c := &call{Request: r, id: a.ids.New()}
	reply, err := guard(c, handle)
	if err != nil {
		reply = a.failure(c, err)
	}
	w.Header().Set("X-Request-Id", c.id)
	reply.write(w)
	took := a.now().Sub(began)
	a.observe(Observation{Method: r.Method, Route: pattern, Status: reply.status, Took: took})
	a.log.DebugContext(r.Context(), "request", "method", r.Method, "route", pattern, "status", reply.status,
		"took", took, "request_id", c.id)
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
