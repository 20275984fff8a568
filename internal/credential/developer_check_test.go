package credential_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mbl/internal/credential"
	"mbl/internal/pki"
)

func wantCheckError(t *testing.T, err error, item string) {
	t.Helper()
	var check *credential.CheckError
	if !errors.As(err, &check) || check.Item != item {
		t.Errorf("got %v, want an error about %s", err, item)
	}
}

func TestGoodCredentialsPass(t *testing.T) {
	cases := []struct {
		name   string
		change func(*credential.Developer)
	}{
		{"as made", func(*credential.Developer) {}},
		{"unknown account", func(d *credential.Developer) { d.AccountID = "" }},
		{"plain coap", func(d *credential.Developer) { d.ServerURI = "coap" + strings.TrimPrefix(d.ServerURI, "coaps") }},
		{"IPv6 server", func(d *credential.Developer) { d.ServerURI = "coaps://[::1]:5684?aid=" + d.AccountID }},
		{"path and another parameter", func(d *credential.Developer) { d.ServerURI = "coaps://h:1/p?x=1&aid=" + d.AccountID }},
		{"LwM2M CA", func(d *credential.Developer) { d.LwM2MCACertificate = d.ServerCACertificate }},
		{"key in SEC1", func(d *credential.Developer) { d.PrivateKey = sec1(t, d.PrivateKey) }},
		{"empty properties", func(d *credential.Developer) { d.Manufacturer, d.SerialNumber = "", "" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := newDeveloper(t)
			c.change(d)
			if err := d.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func sec1(t *testing.T, der []byte) []byte {
	t.Helper()
	key, err := pki.ParsePrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pki.MarshalSEC1(key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWrongCredentialsAreRefusedByItem(t *testing.T) {
	other := newDeveloper(t)
	uri := func(text string) func(*credential.Developer) {
		return func(d *credential.Developer) { d.ServerURI = text }
	}
	cases := []struct {
		name   string
		change func(*credential.Developer)
		item   string
		says   string
	}{
		{"key of another certificate", func(d *credential.Developer) { d.PrivateKey = other.PrivateKey }, credential.VarPrivateKey, "not the key of the device certificate"},
		{"PEM key", func(d *credential.Developer) { d.PrivateKey = []byte(pki.PrivateKeyPEM(d.PrivateKey)) }, credential.VarPrivateKey, "PEM"},
		{"no key", func(d *credential.Developer) { d.PrivateKey = nil }, credential.VarPrivateKey, "empty"},
		{"longer endpoint name", func(d *credential.Developer) { d.EndpointName += "0" }, credential.VarDeviceCertificate, "common name"},
		{"endpoint name in another case", func(d *credential.Developer) { d.EndpointName = strings.ToUpper(d.EndpointName) }, credential.VarDeviceCertificate, "common name"},
		{"no endpoint name", func(d *credential.Developer) { d.EndpointName = "" }, credential.VarEndpointName, "empty"},
		{"PEM certificate", func(d *credential.Developer) { d.DeviceCertificate = []byte(pki.CertificatePEM(d.DeviceCertificate)) }, credential.VarDeviceCertificate, "PEM"},
		{"cut certificate", func(d *credential.Developer) { d.DeviceCertificate = d.DeviceCertificate[:99] }, credential.VarDeviceCertificate, "cut off"},
		{"long certificate", func(d *credential.Developer) { d.DeviceCertificate = make([]byte, 1025) }, credential.VarDeviceCertificate, "1025 bytes"},
		{"cut CA", func(d *credential.Developer) { d.ServerCACertificate = []byte{0x30} }, credential.VarServerCACertificate, "cut off"},
		{"cut LwM2M CA", func(d *credential.Developer) { d.LwM2MCACertificate = []byte{0x30} }, credential.VarLwM2MCACertificate, "cut off"},
		{"long property", func(d *credential.Developer) { d.ModelNumber = strings.Repeat("x", 1025) }, credential.VarModelNumber, "1025 bytes"},
		{"NUL in a property", func(d *credential.Developer) { d.DeviceType = "a\x00" }, credential.VarDeviceType, "NUL"},
		{"another account", func(d *credential.Developer) { d.AccountID = strings.Repeat("0", 32) }, credential.VarServerURI, "names the account"},
		{"no account", uri("coaps://h:5684"), credential.VarServerURI, "names no account"},
		{"two accounts", uri("coaps://h:5684?aid=" + exampleAccount + "&aid=x"), credential.VarServerURI, "more than once"},
		{"https", uri("https://h:5684?aid=" + exampleAccount), credential.VarServerURI, "coaps://"},
		{"capitals", uri("COAPS://h:5684?aid=" + exampleAccount), credential.VarServerURI, "coaps://"},
		{"no port", uri("coaps://h?aid=" + exampleAccount), credential.VarServerURI, "no port"},
		{"port 0", uri("coaps://h:0?aid=" + exampleAccount), credential.VarServerURI, "1 to 65535"},
		{"port too large", uri("coaps://h:65536?aid=" + exampleAccount), credential.VarServerURI, "1 to 65535"},
		{"no host", uri("coaps://:5684?aid=" + exampleAccount), credential.VarServerURI, "no host"},
		{"no URI", uri("coaps://[::1"), credential.VarServerURI, "not a URI"},
		{"broken query", uri("coaps://h:1?aid=%zz"), credential.VarServerURI, "query"},
		{"long URI", uri("coaps://h:1?aid=" + strings.Repeat("0", 1024)), credential.VarServerURI, "at most 1024"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := newDeveloper(t)
			c.change(d)
			err := d.Check()
			wantCheckError(t, err, c.item)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

func TestErrorsNeverHoldKeyMaterial(t *testing.T) {
	d := newDeveloper(t)
	d.PrivateKey = []byte(pki.PrivateKeyPEM([]byte("secret scalar, thirty-two bytes.")))
	err := d.Check()
	if err == nil || strings.Contains(err.Error(), "BEGIN") || strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("got %v", err)
	}
}

func TestExpiryIsNotJudged(t *testing.T) {
	d := newDeveloper(t)
	key, err := pki.ParsePrivateKey(d.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	d.DeviceCertificate, err = pki.SelfSignDeveloper(key, d.AccountID, d.EndpointName, time.Now().AddDate(-11, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(); err != nil {
		t.Error(err)
	}
}
