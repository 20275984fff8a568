// Package restapi is the service's REST API over HTTP: one table of routes,
// one file a resource. It reads requests, asks the brain, package cloud, and
// writes what it answers; it decides nothing itself. Paths, fields and codes
// are those of the original service's published API.
//
// cloudapp serves it; the command line and other people's clients call it.
package restapi

import (
	"log/slog"
	"net/http"
	"slices"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/objectid"
)

// API answers requests. It is an http.Handler.
type API struct {
	service *cloud.Service
	connect *connect.Service
	log     *slog.Logger
	now     func() time.Time
	observe func(Observation)
	ids     *objectid.Source

	wrongKeys *wrongKeys

	mux     *http.ServeMux
	openAPI []byte
}

// Config is what an API is made of; all of it is needed but Observe.
type Config struct {
	Service *cloud.Service
	Connect *connect.Service
	Log     *slog.Logger
	Now     func() time.Time
	Observe func(Observation) // is told of every answer; may be nil
}

// Observation is one answered request.
type Observation struct {
	Method string
	Route  string // the route's pattern, such as /v3/devices/{id}; empty for an unknown path
	Status int
	Took   time.Duration
}

// New makes an API.
func New(config Config) *API {
	a := &API{
		service: config.Service,
		connect: config.Connect,
		log:     config.Log,
		now:     config.Now,
		observe: config.Observe,
		ids:     objectid.NewSource(config.Now),

		wrongKeys: newWrongKeys(),
	}
	if a.observe == nil {
		a.observe = func(Observation) {}
	}
	table := slices.Concat(routes(), accountRoutes(), directoryRoutes(), connectRoutes(), subscriptionRoutes(), identityRoutes())
	a.openAPI = describe(table)
	a.mux = newMux(a, table)
	return a
}
