package cloudapp

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mbl/internal/cloud"
)

// censusTimeout keeps a busy database from holding up everything else that
// /metrics shows.
const censusTimeout = 5 * time.Second

// census asks the service each time /metrics is read. It implements
// prometheus.Collector.
type census struct {
	service         *cloud.Service
	log             *slog.Logger
	devices, ending *prometheus.Desc
}

func newCensus(service *cloud.Service, log *slog.Logger) census {
	return census{
		service: service,
		log:     log,
		devices: prometheus.NewDesc("mbl_devices", "Devices in the directory by state.", []string{"state"}, nil),
		ending: prometheus.NewDesc("mbl_certificates_expiring",
			"Certificates in force that end within so many days, by what they are for.", []string{"kind", "days"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c census) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.devices
	descriptions <- c.ending
}

// Collect implements prometheus.Collector.
func (c census) Collect(collected chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), censusTimeout)
	defer cancel()
	counted, err := c.service.Census(ctx)
	if err != nil {
		c.log.ErrorContext(ctx, "cannot count for /metrics", "error", err)
		return
	}
	for state, count := range counted.Devices {
		collected <- prometheus.MustNewConstMetric(c.devices, prometheus.GaugeValue, float64(count), string(state))
	}
	for _, expiring := range counted.Expiring {
		days := strconv.Itoa(int(expiring.Within.Hours() / 24))
		collected <- prometheus.MustNewConstMetric(c.ending, prometheus.GaugeValue, float64(expiring.Count), expiring.Kind, days)
	}
}
