//go:build openssl

package cloudapp_test

import (
	"testing"

	"mbl/internal/coap"
	"mbl/internal/coap/openssl"
	"mbl/internal/pki"
)

// connect connects as original devices do.
func (a *account) connect(t *testing.T) *openssl.Conn {
	t.Helper()
	ca, err := pki.ParseCertificate(a.ca)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := openssl.Dial(limit(t), a.address, openssl.DialConfig{
		DialConfig: coap.DialConfig{Certificate: a.certificate, RootCA: ca},
		Resume:     a.session,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	a.session = conn.Session()
	return conn
}

// An original device over TCP has what it needs from credentials to reading
// again after a restart of the service, with its TLS session.
func TestDevicesOverTCPBootstrapRegisterAndResume(t *testing.T) {
	data := t.TempDir()
	ports := keptPorts(t)
	r := serve(t, data, ports...)
	developer := r.developer("a")
	first := accountOf(t, developer)
	r.wantMetrics(`mbl_connections{server="bootstrap",state="unfinished",transport="tcp"} 0`)
	device := first.bootstrap(t, developer, first.connect(t))
	register := registration(developer)
	conn := device.connect(t)
	if code, _ := post(t, conn, register, nil); code != coap.Created {
		t.Fatalf("the registration is answered %v", code)
	}
	r.stop()

	r = serve(t, data, ports...)
	conn = device.connect(t)
	if !conn.Resumed() {
		t.Error("the TLS session did not survive the restart")
	}
	if code, _ := post(t, conn, register, nil); code != coap.Created {
		t.Errorf("the second registration is answered %v", code)
	}
	if conn := first.connect(t); conn.Resumed() {
		t.Error("the bootstrap server resumes sessions")
	}
	r.stop()
}
