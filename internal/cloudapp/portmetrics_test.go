package cloudapp_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"mbl/internal/pki"
)

// wantMetrics waits until GET /metrics has these lines.
func (r *running) wantMetrics(lines ...string) {
	r.t.Helper()
	for ctx := limit(r.t); ; {
		_, text := get(r.t, http.DefaultClient, r.addresses.HTTP+"/metrics")
		missing := ""
		for _, line := range lines {
			if !strings.Contains(text, line+"\n") {
				missing = line
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			r.t.Fatalf("the metrics have no %s in\n%s", missing, text)
		}
	}
}

func TestTheMetricsTellOfHandshakesAndConnections(t *testing.T) {
	r := serve(t, t.TempDir())
	developer := r.developer("a")
	device := accountOf(t, developer)
	conn := device.connectUDP(t)
	stranger := *device
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := pki.SelfSignDeveloper(key, developer.AccountID, developer.EndpointName, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	stranger.certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if _, err := stranger.tryUDP(t); err == nil {
		t.Error("a stranger was let in")
	}
	r.wantMetrics(
		`mbl_handshakes_total{result="ok",resumed="false",server="bootstrap",suite="TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",transport="udp"} 1`,
		`mbl_handshakes_total{result="refused",resumed="false",server="bootstrap",suite="",transport="udp"} 1`,
		`mbl_handshake_seconds_count{server="bootstrap",transport="udp"} 2`,
		`mbl_connections{server="bootstrap",state="open",transport="udp"} 1`,
		`mbl_connections{server="bootstrap",state="unfinished",transport="udp"} 0`,
		`mbl_connections{server="lwm2m",state="open",transport="udp"} 0`,
	)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	r.wantMetrics(`mbl_connections{server="bootstrap",state="open",transport="udp"} 0`)
	r.stop()
}

func TestTheNumberOfConnectionsIsASetting(t *testing.T) {
	r := serve(t, t.TempDir(), "--connections-per-address", "1")
	device := accountOf(t, r.developer("a"))
	first := device.connectUDP(t)
	connected := make(chan error, 1)
	go func() {
		second, err := device.tryUDP(t)
		if err == nil {
			err = second.Close()
		}
		connected <- err
	}()
	for ctx := limit(t); ; {
		_, text := get(t, http.DefaultClient, r.addresses.HTTP+"/metrics")
		if strings.Contains(text, `mbl_peers_refused_total{cause="crowded",server="bootstrap",transport="udp"}`) {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the second client is not counted as refused")
		}
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := <-connected; err != nil {
		t.Errorf("the second client, when the first has left: %v", err)
	}
	r.stop()
	if code, _, stderr := run(t, "serve", "--data", t.TempDir(), "--handshakes", "0"); code != 2 {
		t.Errorf("no handshakes at all: exit code %d: %s", code, stderr)
	}
}
