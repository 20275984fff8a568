//go:build openssl

package lwm2m

import (
	"crypto/tls"
	"testing"

	"mbl/internal/coap"
	"mbl/internal/coap/openssl"
	"mbl/internal/pki"
)

// The original clients again, through TLS as they speak it. The server of
// management is restarted before each connection, with or without its memory
// of TLS sessions, as the recorded one was.
func TestRecordedClientsOverTLS(t *testing.T) {
	for name, r := range map[string]recordedRun{
		"4.13 after its server's restart": {"t1-tcp-kept", 900, []string{""}},
		"4.13 whose session is lost":      {"t2-tcp-lost", 900, []string{""}},
		"4.13 after its server's loss":    {"t3-tcp-lost-unk", 900, []string{""}},
		"4.13 started again and again": {
			"k1-tcp-cache", 900,
			[]string{"", "019a0000000000000000000100000001"},
		},
		"4.13 bootstrapping again and again": {
			"r1-tcp-del0", 900,
			[]string{"", "019a0000000000000000000100000001", "019a0000000000000000000100000002"},
		},
		"4.1.0 after its server's restart": {"m6-mbl41-kept", 900, []string{""}},
		"4.1.0 whose session is lost":      {"m7-mbl41-lost", 900, []string{""}},
		"4.1.0 bootstrapping again and again": {
			"r2-mbl41-del0", 900,
			[]string{"", "019a0000000000000000000100000001", "019a0000000000000000000100000002"},
		},
	} {
		t.Run(name, func(t *testing.T) { r.play(t, newTLSWire(t).connect) })
	}
}

// tlsWire makes connections as the original client does.
type tlsWire struct {
	t        *testing.T
	ca       *pki.Authority
	server   tls.Certificate
	sessions *openssl.Memory // of the server
	session  []byte          // of the client
}

func newTLSWire(t *testing.T) *tlsWire {
	t.Helper()
	w := &tlsWire{t: t, ca: newAuthority(t)}
	key := newKey(t)
	der, err := w.ca.IssueServer("server", nil, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		t.Fatal(err)
	}
	w.server = pair(der, key)
	return w
}

func (w *tlsWire) connect(c *recordedConnection) (client, server coap.Conn) {
	w.t.Helper()
	listening := openssl.ListenConfig{ListenConfig: coap.ListenConfig{Certificate: w.server}}
	dialing := openssl.DialConfig{DialConfig: coap.DialConfig{Certificate: w.device(c), RootCA: w.ca.Certificate}}
	if c.role == management {
		if !c.resumed {
			w.sessions = openssl.NewMemory(10)
		}
		listening.Sessions, dialing.Resume = w.sessions, w.session
	}
	listener, err := openssl.Listen("127.0.0.1:0", listening)
	if err != nil {
		w.t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := openssl.Dial(w.t.Context(), listener.Addr().String(), dialing)
	if err != nil {
		w.t.Fatal(err)
	}
	if dialed.Resumed() != c.resumed {
		w.t.Errorf("resumed %v, recorded %v", dialed.Resumed(), c.resumed)
	}
	w.session = nil // a bootstrap deletes it
	if c.role == management {
		w.session = dialed.Session()
	}
	server, err = listener.Accept(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return dialed, server
}

// device makes a certificate with the recorded names.
func (w *tlsWire) device(c *recordedConnection) tls.Certificate {
	w.t.Helper()
	subject := c.certificate.Subject
	name := pki.DeviceName{AccountID: subject.OrganizationalUnit[0], EndpointName: subject.CommonName, DeviceID: "none yet"}
	if c.role == management {
		name.DeviceID = subject.Locality[0]
	}
	key := newKey(w.t)
	der, err := w.ca.IssueDevice(name, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		w.t.Fatal(err)
	}
	return pair(der, key)
}
