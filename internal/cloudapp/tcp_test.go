//go:build openssl

package cloudapp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"mbl/internal/coap"
	"mbl/internal/coap/openssl"
	"mbl/internal/credential"
	"mbl/internal/lwm2m"
	"mbl/internal/pki"
)

func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// account is what a device has to reach a server.
type account struct {
	address     string
	certificate tls.Certificate
	ca          []byte
	session     []byte // of TLS
}

func newAccount(t *testing.T, uri string, certificate, key, ca []byte) *account {
	t.Helper()
	private, err := pki.ParsePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(uri, "coaps://"), "?")
	return &account{address, tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: private}, ca, nil}
}

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

// post sends one request and returns the code of its answer; handler answers
// the server.
func post(t *testing.T, conn coap.Conn, request *coap.Request, handler coap.Handler) (code coap.Code, ended <-chan struct{}) {
	t.Helper()
	session := coap.NewSession(conn, handler, coap.SessionConfig{})
	go func() { _ = session.Serve(t.Context()) }()
	response, err := session.Do(limit(t), request)
	if err != nil {
		t.Fatal(err)
	}
	return response.Code, session.Done()
}

// bootstrap gets a device's account on the LwM2M server.
func (a *account) bootstrap(t *testing.T, developer *credential.Developer) *account {
	t.Helper()
	var written []byte
	answers := map[coap.Code]coap.Code{coap.DELETE: coap.Deleted, coap.PUT: coap.Changed, coap.POST: coap.Changed}
	code, ended := post(t, a.connect(t), &coap.Request{
		Code:  coap.POST,
		Path:  []string{"bs"},
		Query: []string{"ep=" + developer.EndpointName, "aid=" + developer.AccountID, "mccv=4.1.0"},
	}, func(_ context.Context, request *coap.Request) *coap.Response {
		if request.Code == coap.PUT {
			written = bytes.Clone(request.Payload)
		}
		return &coap.Response{Code: answers[request.Code]}
	})
	if code != coap.Changed {
		t.Fatalf("the bootstrap is answered %v", code)
	}
	<-ended // the server closes when it is done
	items, err := lwm2m.DecodeTLV(written)
	if err != nil || len(items) != 1 {
		t.Fatalf("wrote %x: %v", written, err)
	}
	security, err := lwm2m.SecurityOf(items[0])
	if err != nil {
		t.Fatal(err)
	}
	return newAccount(t, security.ServerURI, security.ClientCertificate, security.PrivateKey, security.ServerCA)
}

// An original device over TCP has what it needs from credentials to reading
// again after a restart of the service, with its TLS session.
func TestDevicesOverTCPBootstrapRegisterAndResume(t *testing.T) {
	data := t.TempDir()
	r := serve(t, data)
	made := r.must("POST", "/v3/developer-certificates", `{"name":"a"}`, 201)
	developer, err := credential.ParseDeveloper([]byte(fmt.Sprint(made["security_file_content"])))
	if err != nil {
		t.Fatal(err)
	}
	first := newAccount(t, developer.ServerURI, developer.DeviceCertificate, developer.PrivateKey, developer.ServerCACertificate)
	device := first.bootstrap(t, developer)
	register := &coap.Request{
		Code:    coap.POST,
		Path:    []string{"rd"},
		Query:   []string{"ep=" + developer.EndpointName, "et=default", "lt=3600", "b=U", "aid=" + developer.AccountID},
		Payload: []byte("</1/0>,</3/0>"),
	}
	conn := device.connect(t)
	if code, _ := post(t, conn, register, nil); code != coap.Created {
		t.Fatalf("the registration is answered %v", code)
	}
	r.stop()

	r = serve(t, data,
		"--bootstrap", strings.TrimPrefix(r.addresses.Bootstrap, "coaps://"),
		"--lwm2m", strings.TrimPrefix(r.addresses.LwM2M, "coaps://"))
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
