package cloudapp_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
	"mbl/internal/lwm2m/senml"
	"mbl/internal/pki"
)

// factory is a certificate authority of a manufacturer.
type factory struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newFactory(t *testing.T, name string) *factory {
	t.Helper()
	f := &factory{t: t}
	f.certificate, f.key = f.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	})
	return f
}

func (f *factory) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	f.t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		f.t.Fatal(err)
	}
	parent, signer := f.certificate, f.key
	if parent == nil {
		parent, signer = template, key
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		f.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		f.t.Fatal(err)
	}
	return certificate, key
}

// device makes a device's certificate and key.
func (f *factory) device(name string) tls.Certificate {
	f.t.Helper()
	certificate, key := f.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}})
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
}

// upload makes the service trust the factory.
func (r *running) upload(f *factory, service string) {
	f.t.Helper()
	body, err := json.Marshal(map[string]string{
		"name": f.certificate.Subject.CommonName, "service": service, "certificate": pki.CertificatePEM(f.certificate.Raw),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	r.must("POST", "/v3/trusted-certificates", string(body), 201)
}

// caOf is the authority of one of the servers.
func (r *running) caOf(t *testing.T, server string) *x509.Certificate {
	t.Helper()
	der, err := pki.DecodeCertificatePEM([]byte(fmt.Sprint(r.must("GET", "/v3/server-credentials/"+server, "", 200)["server_certificate"])))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// writes collects what a bootstrap writes, whatever the client is.
type writes struct {
	mu    sync.Mutex
	bytes map[string][]byte // by path
}

func (w *writes) handle(_ context.Context, request *coap.Request) *coap.Response {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch request.Code {
	case coap.PUT:
		w.bytes["/"+strings.Join(request.Path, "/")] = bytes.Clone(request.Payload)
		return &coap.Response{Code: coap.Changed}
	case coap.DELETE:
		return &coap.Response{Code: coap.Deleted}
	case coap.POST:
		return &coap.Response{Code: coap.Changed}
	default:
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
}

// bootstrapOver bootstraps a client of the standard kind over a connection and
// returns how it reaches the LwM2M server.
func bootstrapOver(t *testing.T, conn coap.Conn, query ...string) (address string, dial coap.DialConfig) {
	t.Helper()
	w := &writes{bytes: map[string][]byte{}}
	session := coap.NewSession(conn, w.handle, coap.SessionConfig{})
	go func() { _ = session.Serve(t.Context()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	answer, err := session.Do(ctx, &coap.Request{Code: coap.POST, Path: []string{"bs"}, Query: query})
	if err != nil || answer.Code != coap.Changed {
		t.Fatalf("the bootstrap is answered %+v, %v", answer, err)
	}
	select {
	case <-session.Done():
	case <-ctx.Done():
		t.Fatal("the server does not end the bootstrap")
	}
	entries, err := senml.Decode(senml.FormatCBOR, w.bytes["/0/1"])
	if err != nil {
		t.Fatal(err)
	}
	values := map[uint16]any{}
	for _, entry := range entries {
		values[entry.Path[2]] = entry.Value
	}
	key, err := pki.ParsePrivateKey(values[lwm2m.SecuritySecretKey].([]byte))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCertificate(values[lwm2m.SecurityServerPublicKey].([]byte))
	if err != nil {
		t.Fatal(err)
	}
	own := tls.Certificate{Certificate: [][]byte{values[lwm2m.SecurityPublicKey].([]byte)}, PrivateKey: key}
	return strings.TrimPrefix(values[lwm2m.SecurityServerURI].(string), "coaps://"), coap.DialConfig{Certificate: own, RootCA: ca}
}

// registers connects to the LwM2M server and registers there, and returns how to
// leave.
func registers(t *testing.T, address string, dial coap.DialConfig) (leave func() error) {
	t.Helper()
	conn := dialUDP(t, address, dial)
	session := coap.NewSession(conn, nil, coap.SessionConfig{})
	go func() { _ = session.Serve(t.Context()) }()
	answer, err := session.Do(t.Context(), &coap.Request{
		Code: coap.POST, Path: []string{"rd"}, Query: []string{"lwm2m=1.1", "lt=600", "b=U"}, Payload: []byte("</1/0>,</3/0>"),
	})
	if err != nil || answer.Code != coap.Created || len(answer.LocationPath) != 3 {
		t.Fatalf("the registration is answered %+v, %v", answer, err)
	}
	return session.Close
}

func dialUDP(t *testing.T, address string, dial coap.DialConfig) coap.Conn {
	t.Helper()
	conn, err := coap.Dial(t.Context(), address, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func address(uri string) string { return strings.TrimPrefix(uri, "coaps://") }

// device is the one entry of the directory.
func (r *running) onlyDevice(t *testing.T) map[string]any {
	t.Helper()
	data := r.must("GET", "/v3/devices", "", 200)["data"].([]any)
	if len(data) != 1 {
		t.Fatalf("there are %d devices", len(data))
	}
	return data[0].(map[string]any)
}

func TestADeviceOfAnUploadedAuthorityComesOnline(t *testing.T) {
	r := serve(t, t.TempDir())
	f := newFactory(t, "Factory")
	r.upload(f, "bootstrap")
	for range 2 { // the second time after a factory reset
		dial := coap.DialConfig{Certificate: f.device("gateway-1"), RootCA: r.caOf(t, "bootstrap")}
		conn := dialUDP(t, address(r.addresses.Bootstrap), dial)
		lwm2mAddress, granted := bootstrapOver(t, conn, "ep=gateway-1", "pct=112")
		leave := registers(t, lwm2mAddress, granted)
		if device := r.onlyDevice(t); device["endpoint_name"] != "gateway-1" || device["state"] != "registered" ||
			device["device_execution_mode"] != 0.0 {
			t.Errorf("the device is %v", device)
		}
		if err := leave(); err != nil {
			t.Error(err)
		}
	}
	stranger := coap.DialConfig{Certificate: newFactory(t, "Factory").device("gateway-1"), RootCA: r.caOf(t, "bootstrap")}
	if _, err := coap.Dial(t.Context(), address(r.addresses.Bootstrap), stranger); err == nil {
		t.Error("a device of another authority of the same name is let in")
	}
	r.stop()
}

func TestADeviceWithAPreSharedKeyComesOnline(t *testing.T) {
	r := serve(t, t.TempDir())
	r.must("POST", "/v2/device-shared-keys", `{"endpoint_name":"gateway-00000001","secret_hex":"30313233343536373839616263646566"}`, 201)
	dial := coap.DialConfig{SharedKey: &coap.SharedKey{Identity: "gateway-00000001", Key: []byte("0123456789abcdef")}}
	conn := dialUDP(t, address(r.addresses.Bootstrap), dial)
	lwm2mAddress, granted := bootstrapOver(t, conn, "ep=gateway-00000001", "pct=112")
	registers(t, lwm2mAddress, granted)
	if device := r.onlyDevice(t); device["endpoint_name"] != "gateway-00000001" || device["state"] != "registered" {
		t.Errorf("the device is %v", device)
	}
	if strings.Contains(r.stderr.String(), "30313233") {
		t.Error("the secret is in the log")
	}
	r.stop()
}

func TestWhoeverConnectedWithAReplacedPreSharedKeyDoesNotBootstrap(t *testing.T) {
	r := serve(t, t.TempDir())
	const name = "gateway-00000001"
	r.must("POST", "/v2/device-shared-keys", `{"endpoint_name":"`+name+`","secret_hex":"30313233343536373839616263646566"}`, 201)
	old := dialUDP(t, address(r.addresses.Bootstrap), coap.DialConfig{SharedKey: &coap.SharedKey{Identity: name, Key: []byte("0123456789abcdef")}})
	r.must("DELETE", "/v2/device-shared-keys/"+name, "", 204)
	r.must("POST", "/v2/device-shared-keys", `{"endpoint_name":"`+name+`","secret_hex":"66656463626139383736353433323130"}`, 201)
	request := &coap.Request{Code: coap.POST, Path: []string{"bs"}, Query: []string{"ep=" + name}}
	if code, _ := post(t, old, request, nil); code != coap.Forbidden {
		t.Errorf("the connection of before is answered %v", code)
	}
	fresh := dialUDP(t, address(r.addresses.Bootstrap), coap.DialConfig{SharedKey: &coap.SharedKey{Identity: name, Key: []byte("fedcba9876543210")}})
	lwm2mAddress, granted := bootstrapOver(t, fresh, "ep="+name, "pct=112")
	registers(t, lwm2mAddress, granted)
	r.stop()
}

func TestADeviceWithItsOwnLwM2MCertificateComesOnline(t *testing.T) {
	r := serve(t, t.TempDir())
	f := newFactory(t, "Factory")
	r.upload(f, "lwm2m")
	registers(t, address(r.addresses.LwM2M), coap.DialConfig{Certificate: f.device("gateway-1"), RootCA: r.caOf(t, "lwm2m")})
	device := r.onlyDevice(t)
	if device["endpoint_name"] != "gateway-1" || device["state"] != "registered" {
		t.Errorf("the device is %v", device)
	}
	r.must("POST", "/v3/devices/"+fmt.Sprint(device["id"])+"/suspend", `{"category":"security"}`, 204)
	if _, err := coap.Dial(t.Context(), address(r.addresses.LwM2M), coap.DialConfig{Certificate: f.device("gateway-1"), RootCA: r.caOf(t, "lwm2m")}); err == nil {
		t.Error("a suspended device connects")
	}
	r.stop()
}
