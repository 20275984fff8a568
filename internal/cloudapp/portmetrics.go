package cloudapp

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"mbl/internal/coap"
)

// portMetrics are what GET /metrics shows of the ports for devices.
type portMetrics struct {
	handshakes *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	refused    *prometheus.CounterVec
}

func newPortMetrics(registry *prometheus.Registry) *portMetrics {
	m := &portMetrics{
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mbl_handshakes_total", Help: "Handshakes of devices by how they ended.",
		}, []string{"server", "transport", "suite", "resumed", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mbl_handshake_seconds", Help: "Time that handshakes of devices took, whatever their end.",
		}, []string{"server", "transport"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mbl_peers_refused_total", Help: "Times that a peer was not listened to, by cause.",
		}, []string{"server", "transport", "cause"}),
	}
	registry.MustRegister(m.handshakes, m.seconds, m.refused)
	return m
}

// of observes one server's ports.
func (m *portMetrics) of(server string) coap.PortObserver { return portObserver{m, server} }

type portObserver struct {
	metrics *portMetrics
	server  string
}

// HandshakeEnded implements coap.PortObserver.
func (o portObserver) HandshakeEnded(h coap.Handshake) {
	transport := string(h.Transport)
	o.metrics.handshakes.WithLabelValues(o.server, transport, h.Suite, strconv.FormatBool(h.Resumed), handshakeResult(h.Err)).Inc()
	o.metrics.seconds.WithLabelValues(o.server, transport).Observe(h.Took.Seconds())
}

func handshakeResult(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, coap.ErrPeerRefused):
		return "refused" // the certificate
	case errors.Is(err, coap.ErrStalled):
		return "stalled"
	default:
		return "failed"
	}
}

// PeerRefused implements coap.PortObserver.
func (o portObserver) PeerRefused(transport coap.Transport, refusal coap.Refusal) {
	o.metrics.refused.WithLabelValues(o.server, string(transport), string(refusal)).Inc()
}

// countConnections adds a port's connections to the metrics.
func (m *metrics) countConnections(server string, port *devicePort) {
	counts := map[coap.Transport]func() (unfinished, open int){coap.UDP: port.udp.Count}
	if port.tcp != nil {
		counts[coap.TCP] = port.tcp.Count
	}
	for transport, count := range counts {
		m.registry.MustRegister(connectionCount(server, transport, "unfinished", func() int { unfinished, _ := count(); return unfinished }))
		m.registry.MustRegister(connectionCount(server, transport, "open", func() int { _, open := count(); return open }))
	}
}

func connectionCount(server string, transport coap.Transport, state string, count func() int) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "mbl_connections",
		Help:        "Connections of devices: open, or with their handshake not done.",
		ConstLabels: prometheus.Labels{"server": server, "transport": string(transport), "state": state},
	}, func() float64 { return float64(count()) })
}
