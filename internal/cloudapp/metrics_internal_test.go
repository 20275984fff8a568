package cloudapp

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func TestARefusedEnrollmentIsCountedByItsCause(t *testing.T) {
	counted := countedService{
		Service: cloud.New(cloud.Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)}),
		metrics: newMetrics(),
	}
	if _, err := counted.Enroll(t.Context(), &cloud.BootstrapGrant{}, []byte("no certificate request")); err == nil {
		t.Fatal("it was not refused")
	}
	answer := httptest.NewRecorder()
	counted.metrics.handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`mbl_bootstraps_total{result="refused"} 1`,
		`mbl_bootstrap_failures_total{cause="request disagrees with the certificate"} 1`,
	} {
		if !strings.Contains(answer.Body.String(), line+"\n") {
			t.Errorf("/metrics has no %s", line)
		}
	}
}
