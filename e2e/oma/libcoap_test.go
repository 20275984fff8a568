package oma

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/coap/openssl"
	"mbl/internal/device"
	"mbl/internal/keystore"
)

// again is how often a client connects: rare encodings of keys and signatures
// are where libraries fail each other.
const again = 25

// TestLibcoapRegisters is other people's client: libcoap's, over DTLS, and over
// TLS (RFC 8323) where the service was built with it.
func TestLibcoapRegisters(t *testing.T) {
	w := newWorld(t)
	schemes := []string{"coaps"}
	if openssl.Supported {
		schemes = append(schemes, "coaps+tcp")
	}
	for _, scheme := range schemes {
		t.Run(scheme, func(t *testing.T) {
			store := w.bootstrapped(t)
			files := writeIdentity(t, store)
			identity := device.ReadIdentity(store)
			uri := fmt.Sprintf("%s://%s/rd?ep=%s&lt=300&lwm2m=1.1&b=U", scheme, strings.TrimPrefix(w.service.LwM2M, "coaps://"), identity.EndpointName)
			for range again {
				client := exec.CommandContext(limit(t), "coap-client-openssl", "-m", "post", "-t", "40", "-e", links,
					"-c", files.certificate, "-j", files.key, "-C", files.ca, "-v", "6", uri)
				if out, err := client.CombinedOutput(); err != nil || !bytes.Contains(out, []byte(" c:2.01 ")) {
					t.Fatalf("%v: %s", err, out)
				}
			}
			c := &client{t: t, world: w, id: identity.DeviceID}
			if state := c.state(); state != "registered" {
				t.Errorf("the device is %s", state)
			}
		})
	}
}

type identityFiles struct{ certificate, key, ca string }

// writeIdentity writes what a device bootstrapped to as PEM files.
func writeIdentity(t *testing.T, store keystore.Store) identityFiles {
	t.Helper()
	folder := t.TempDir()
	write := func(item, kind string) string {
		der, err := store.Get(item)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, item+".pem")
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return identityFiles{
		certificate: write("mbed.LwM2MDeviceCert", "CERTIFICATE"),
		key:         write("mbed.LwM2MDevicePrivateKey", "EC PRIVATE KEY"),
		ca:          write("mbed.LwM2MServerCACert", "CERTIFICATE"),
	}
}
