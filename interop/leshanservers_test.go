//go:build interop

package interop

import (
	"crypto/ecdsa"
	"crypto/tls"
	"strings"
	"testing"

	"mbl/e2e/stage"
	"mbl/internal/coap"
	"mbl/internal/credential"
	"mbl/internal/pki"
)

// TestLeshanServers has mbl-device bootstrap from Leshan's bootstrap server and
// register to its management server.
func TestLeshanServers(t *testing.T) {
	const endpoint = "mbl-interop-device"
	w := newLeshanWorld(t, endpoint)
	servers := startPeer(t, leshan("Servers", w.folder, endpoint)...)
	uri := servers.wait("serving").Value

	t.Run("many handshakes", func(t *testing.T) {
		for range again {
			conn, err := coap.Dial(patience(t), strings.TrimPrefix(uri, "coaps://"), w.dial)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	device := w.startDevice(t, uri)
	for _, want := range []struct{ event, value string }{
		{"registered", endpoint},
		{"read", "CONTENT(205) Example"},
		{"read", "CONTENT(205) Example"},
		{"discovered", "CONTENT(205)"},
		{"observed", "CONTENT(205) 300"},
		{"written", "CHANGED(204)"},
		{"notified", "600"},
		{"deleted", "METHOD_NOT_ALLOWED(405)"}, // nothing of the device's own can be
	} {
		if got := servers.wait(want.event); !strings.Contains(got.Value, want.value) {
			t.Errorf("%s: %q, want %q", want.event, got.Value, want.value)
		}
	}
	device.Stop()
	if got := servers.wait("unregistered").Value; got != "by itself" {
		t.Errorf("unregistered: %q", got)
	}
}

// leshanWorld is the certificates of Leshan's servers and of their one device.
type leshanWorld struct {
	folder    string
	developer credential.Developer
	dial      coap.DialConfig
}

func newLeshanWorld(t *testing.T, endpoint string) *leshanWorld {
	t.Helper()
	const account = "0123456789abcdef0123456789abcdef"
	authority, err := pki.NewAuthority("interop")
	check(t, err)
	w := &leshanWorld{folder: t.TempDir()}
	write(t, w.folder, "ca.der", authority.Certificate.Raw)
	issue := func(name string, certify func(*ecdsa.PublicKey) ([]byte, error)) (certificate, key []byte, signer *ecdsa.PrivateKey) {
		signer, err := pki.NewKey()
		check(t, err)
		certificate, err = certify(&signer.PublicKey)
		check(t, err)
		key, err = pki.MarshalPKCS8(signer)
		check(t, err)
		write(t, w.folder, name+".der", certificate)
		write(t, w.folder, name+"-key.der", key)
		return certificate, key, signer
	}
	server := func(pub *ecdsa.PublicKey) ([]byte, error) {
		return authority.IssueServer("leshan", []string{"127.0.0.1"}, pub, pki.DistantPast, pki.DistantFuture)
	}
	issue("bootstrap", server)
	issue("lwm2m", server)
	issue("device", func(pub *ecdsa.PublicKey) ([]byte, error) {
		name := pki.DeviceName{AccountID: account, EndpointName: endpoint, DeviceID: "0000000000000000000000000000cafe"}
		return authority.IssueDevice(name, pub, pki.DistantPast, pki.DistantFuture)
	})
	certificate, key, signer := issue("developer", func(pub *ecdsa.PublicKey) ([]byte, error) {
		return authority.IssueIdentity(account, endpoint, pub, pki.DistantPast, pki.DistantFuture)
	})
	w.developer = credential.Developer{
		EndpointName: endpoint, AccountID: account,
		DeviceCertificate: certificate, ServerCACertificate: authority.Certificate.Raw, PrivateKey: key,
		Manufacturer: "Example", ModelNumber: "1", SerialNumber: "0", DeviceType: "default",
		HardwareVersion: "0", MemoryTotalKB: 1,
	}
	w.dial = coap.DialConfig{
		Certificate: tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: signer},
		RootCA:      authority.Certificate,
	}
	return w
}

// startDevice provisions mbl-device for a bootstrap server and runs it.
func (w *leshanWorld) startDevice(t *testing.T, uri string) *stage.Process {
	t.Helper()
	developer := w.developer
	developer.ServerURI = uri + "?aid=" + developer.AccountID
	folder, state := t.TempDir(), t.TempDir()
	check(t, stage.WriteCredentials(folder, &developer))
	options := stage.Options{Dir: t.TempDir()}
	provision, err := stage.Start("provision", []string{bin(t, "mbl-device"), "--state", state, "--credentials", folder, "--provision"}, options)
	check(t, err)
	if code, err := provision.Wait(patience(t)); err != nil || code != 0 {
		t.Fatalf("provisioning ended with %d, %v: %s", code, err, provision.Output())
	}
	device, err := stage.Start("mbl-device", []string{bin(t, "mbl-device"), "--state", state, "run"}, options)
	check(t, err)
	t.Cleanup(func() {
		device.Stop()
		if t.Failed() {
			t.Logf("mbl-device said: %s", device.Output())
		}
	})
	return device
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
