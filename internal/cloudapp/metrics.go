package cloudapp

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mbl/internal/cloud"
	"mbl/internal/cloud/restapi"
)

// metrics are what GET /metrics shows.
type metrics struct {
	registry      *prometheus.Registry
	requests      *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
	bootstraps    *prometheus.CounterVec
	registrations *prometheus.CounterVec
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
		registrations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mbl_registrations_total", Help: "Registration messages of devices by kind and result.",
		}, []string{"kind", "result"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.bootstraps, m.registrations,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
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
		s.metrics.bootstraps.WithLabelValues("refused").Inc()
	}
	return grant, err
}

// BootstrapFinished counts the bootstraps that succeed.
func (s countedService) BootstrapFinished(ctx context.Context, grant *cloud.BootstrapGrant) error {
	err := s.Service.BootstrapFinished(ctx, grant)
	s.metrics.bootstraps.WithLabelValues(result("finished", err)).Inc()
	return err
}

// BootstrapAborted counts the bootstraps that the device broke off.
func (s countedService) BootstrapAborted(ctx context.Context, grant *cloud.BootstrapGrant, reason string) error {
	s.metrics.bootstraps.WithLabelValues("aborted").Inc()
	return s.Service.BootstrapAborted(ctx, grant, reason)
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

func result(success string, err error) string {
	if err != nil {
		return "refused"
	}
	return success
}
