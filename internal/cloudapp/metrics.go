package cloudapp

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mbl/internal/cloud"
	"mbl/internal/cloud/restapi"
)

const metricsPath = "/metrics"

// metrics are what GET /metrics shows.
type metrics struct {
	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
	bootstraps    *prometheus.CounterVec
	failures      *prometheus.CounterVec
	registrations *prometheus.CounterVec
	ports         *portMetrics
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mbl_http_requests_total", Help: "Answered requests to the REST API.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mbl_http_request_seconds", Help: "Time to answer requests to the REST API.",
		}, []string{"method", "route"}),
		bootstraps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mbl_bootstraps_total", Help: "Bootstraps of devices by how they ended.",
		}, []string{"result"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mbl_bootstrap_failures_total", Help: "Bootstraps that did not succeed, by cause.",
		}, []string{"cause"}),
		registrations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mbl_registrations_total", Help: "Registration messages of devices by kind and result.",
		}, []string{"kind", "result"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.bootstraps, m.failures, m.registrations,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.ports = newPortMetrics(m.registry)
	return m
}

// handler takes the path with and without a slash at its end, as the API takes
// its own.
func (m *metrics) handler() http.Handler {
	written := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	mux := http.NewServeMux() // which refuses other methods
	mux.Handle("GET "+metricsPath, written)
	mux.Handle("GET "+metricsPath+"/{$}", written)
	return mux
}

func (m *metrics) observe(seen restapi.Observation) {
	method := seen.Method
	if seen.Route == "" { // anything may be asked of an unknown path
		method = "any"
	}
	m.requests.WithLabelValues(method, seen.Route, strconv.Itoa(seen.Status)).Inc()
	m.seconds.WithLabelValues(method, seen.Route).Observe(seen.Took.Seconds())
}

// countedService is the brain as devices meet it, with every message counted.
type countedService struct {
	*cloud.Service
	metrics *metrics
}

// Bootstrap counts the bootstraps that end at once.
func (s countedService) Bootstrap(ctx context.Context, request cloud.BootstrapRequest) (*cloud.BootstrapGrant, error) {
	grant, err := s.Service.Bootstrap(ctx, request)
	if err != nil {
		s.metrics.bootstrapEnded(err)
	}
	return grant, err
}

// BootstrapFinished counts the bootstraps that succeed.
func (s countedService) BootstrapFinished(ctx context.Context, grant *cloud.BootstrapGrant) error {
	err := s.Service.BootstrapFinished(ctx, grant)
	s.metrics.bootstrapEnded(err)
	return err
}

// Enroll counts the bootstraps that succeed by enrollment.
func (s countedService) Enroll(ctx context.Context, grant *cloud.BootstrapGrant, request []byte) ([]byte, error) {
	certificate, err := s.Service.Enroll(ctx, grant, request)
	s.metrics.bootstrapEnded(err)
	return certificate, err
}

// BootstrapAborted counts the bootstraps that the device broke off.
func (s countedService) BootstrapAborted(ctx context.Context, grant *cloud.BootstrapGrant, reason string) {
	s.metrics.bootstraps.WithLabelValues("aborted").Inc()
	s.metrics.failures.WithLabelValues("broken off by the device").Inc()
	s.Service.BootstrapAborted(ctx, grant, reason)
}

// Register counts registrations.
func (s countedService) Register(ctx context.Context, device cloud.Identity, registration cloud.Registration) ([]string, error) {
	location, err := s.Service.Register(ctx, device, registration)
	s.metrics.registrations.WithLabelValues("register", result("ok", err)).Inc()
	return location, err
}

// UpdateRegistration counts registration updates.
func (s countedService) UpdateRegistration(ctx context.Context, device cloud.Identity, location []string, update cloud.RegistrationUpdate) error {
	err := s.Service.UpdateRegistration(ctx, device, location, update)
	s.metrics.registrations.WithLabelValues("update", result("ok", err)).Inc()
	return err
}

// Deregister counts de-registrations.
func (s countedService) Deregister(ctx context.Context, device cloud.Identity, location []string) error {
	err := s.Service.Deregister(ctx, device, location)
	s.metrics.registrations.WithLabelValues("deregister", result("ok", err)).Inc()
	return err
}

// bootstrapEnded counts a bootstrap that has succeeded (nil) or was refused.
func (m *metrics) bootstrapEnded(err error) {
	m.bootstraps.WithLabelValues(result("finished", err)).Inc()
	if err != nil {
		m.failures.WithLabelValues(cause(err)).Inc()
	}
}

func result(success string, err error) string {
	if err != nil {
		return "refused"
	}
	return success
}

// causes are what a failed bootstrap is counted as; anything else is a fault
// of the service.
var causes = []struct {
	kind  error
	cause string
}{
	{cloud.ErrUnauthorized, "unknown certificate"},
	{cloud.ErrInvalid, "request disagrees with the certificate"},
	{cloud.ErrForbidden, "identity of another device"},
	{cloud.ErrLimit, "certificate has its number of devices"},
	{cloud.ErrNotFound, "grant no longer valid"},
}

func cause(err error) string {
	for _, known := range causes {
		if errors.Is(err, known.kind) {
			return known.cause
		}
	}
	return "fault of the service"
}
