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

// developer makes a developer certificate and returns what it says.
func (r *running) developer(name string) *credential.Developer {
	r.t.Helper()
	made := r.must("POST", "/v3/developer-certificates", `{"name":"`+name+`"}`, 201)
	developer, err := credential.ParseDeveloper([]byte(fmt.Sprint(made["security_file_content"])))
	if err != nil {
		r.t.Fatal(err)
	}
	return developer
}

func accountOf(t *testing.T, developer *credential.Developer) *account {
	t.Helper()
	return newAccount(t, developer.ServerURI, developer.DeviceCertificate, developer.PrivateKey, developer.ServerCACertificate)
}

// tryUDP connects over DTLS.
func (a *account) tryUDP(t *testing.T) (coap.Conn, error) {
	t.Helper()
	ca, err := pki.ParseCertificate(a.ca)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := coap.Dial(limit(t), a.address, coap.DialConfig{Certificate: a.certificate, RootCA: ca})
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

func (a *account) connectUDP(t *testing.T) coap.Conn {
	t.Helper()
	conn, err := a.tryUDP(t)
	if err != nil {
		t.Fatal(err)
	}
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
func (a *account) bootstrap(t *testing.T, developer *credential.Developer, conn coap.Conn, query ...string) *account {
	t.Helper()
	var written []byte
	answers := map[coap.Code]coap.Code{coap.DELETE: coap.Deleted, coap.PUT: coap.Changed, coap.POST: coap.Changed}
	code, ended := post(t, conn, &coap.Request{
		Code:  coap.POST,
		Path:  []string{"bs"},
		Query: append([]string{"ep=" + developer.EndpointName, "aid=" + developer.AccountID, "mccv=4.1.0"}, query...),
	}, func(_ context.Context, request *coap.Request) *coap.Response {
		if request.Code == coap.PUT && request.Path[0] == "0" {
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

func registration(developer *credential.Developer) *coap.Request {
	return &coap.Request{
		Code:    coap.POST,
		Path:    []string{"rd"},
		Query:   []string{"ep=" + developer.EndpointName, "et=default", "lt=3600", "b=U", "aid=" + developer.AccountID},
		Payload: []byte("</1/0>,</3/0>"),
	}
}
