//go:build openssl

package cloudapp_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"strings"
	"testing"

	"mbl/internal/coap"
	"mbl/internal/coap/openssl"
	"mbl/internal/credential"
)

// An original device over TCP whose certificate leads to an uploaded authority
// by way of another, which it presents.
func TestADeviceOfAnUploadedAuthorityComesOnlineOverTCP(t *testing.T) {
	r := serve(t, t.TempDir())
	f := newFactory(t, "Factory")
	r.upload(f, "bootstrap")
	line := &factory{t: t}
	line.certificate, line.key = f.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Line 1"}, KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	})
	own := line.device("gateway-1")
	own.Certificate = append(own.Certificate, line.certificate.Raw)
	first := &account{address: address(r.addresses.Bootstrap), certificate: own, ca: r.caOf(t, "bootstrap").Raw}
	accountID := fmt.Sprint(r.must("GET", "/v3/accounts/me", "", 200)["id"])
	device := first.bootstrap(t, &credential.Developer{EndpointName: "gateway-1", AccountID: accountID}, first.connect(t))
	code, _ := post(t, device.connect(t), &coap.Request{
		Code: coap.POST, Path: []string{"rd"}, Query: []string{"ep=gateway-1", "lt=600", "mccv=4.1.0"}, Payload: []byte("</1/0>"),
	}, nil)
	if entry := r.onlyDevice(t); code != coap.Created || entry["endpoint_name"] != "gateway-1" || entry["state"] != "registered" {
		t.Errorf("answered %s, the device is %v", code, entry)
	}
	first.certificate = tls.Certificate{Certificate: own.Certificate[:1], PrivateKey: own.PrivateKey}
	dial := coap.DialConfig{Certificate: first.certificate, RootCA: r.caOf(t, "bootstrap")}
	conn, err := openssl.Dial(limit(t), first.address, openssl.DialConfig{DialConfig: dial})
	if err == nil {
		_, err = conn.ReadMessage(limit(t)) // the refusal comes after the client's side is done
		_ = conn.Close()
	}
	if err == nil {
		t.Error("it is let in without the certificate between")
	}
	r.stop()
}

func TestADeviceWithAPreSharedKeyBootstrapsOverTCP(t *testing.T) {
	r := serve(t, t.TempDir())
	const name = "gateway-00000001"
	r.must("POST", "/v2/device-shared-keys", `{"endpoint_name":"`+name+`","secret_hex":"30313233343536373839616263646566"}`, 201)
	dial := func(server, key string) (*openssl.Conn, error) {
		own := &coap.SharedKey{Identity: name, Key: []byte(key)}
		return openssl.Dial(limit(t), address(server), openssl.DialConfig{DialConfig: coap.DialConfig{SharedKey: own}})
	}
	conn, err := dial(r.addresses.Bootstrap, "0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	lwm2mAddress, granted := bootstrapOver(t, conn, "ep="+name, "pct=112")
	registers(t, strings.TrimPrefix(lwm2mAddress, "coaps+tcp://"), granted) // on UDP: certificates are the same
	if device := r.onlyDevice(t); device["endpoint_name"] != name || device["state"] != "registered" {
		t.Errorf("the device is %v", device)
	}
	for server, key := range map[string]string{r.addresses.Bootstrap: "fedcba9876543210", r.addresses.LwM2M: "0123456789abcdef"} {
		if conn, err := dial(server, key); err == nil {
			_ = conn.Close()
			t.Errorf("with the key %s it is let in at %s", key, server)
		}
	}
	r.stop()
}
