//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mbl/e2e/stage"
	"mbl/internal/credential"
	"mbl/internal/pki"
)

// leshan is the command of a program in this folder's leshan.
func leshan(program string, args ...string) []string { return java("leshan", program, args...) }

// TestLeshanDevice is a device on Leshan's client, with Scandium under it.
func TestLeshanDevice(t *testing.T) {
	service, apiKey := startService(t, "--devices-per-certificate", "0")
	channel := service.OpenChannel(t.Context(), apiKey)
	const name = "leshan-interop-01"
	developer := developerCredentials(t, channel)
	ways := map[string][]string{
		"pre-shared key": leshan("Device", service.Bootstrap, name, "psk", sharedKey(t, channel, name)),
		"certificate":    leshan("Device", developer.uri, developer.endpoint, "x509", developer.folder),
	}
	for way, command := range ways {
		t.Run(way, func(t *testing.T) {
			p := startPeer(t, command...)
			p.wait("bootstrapped")
			location := p.wait("registered").Value
			tryLeshanDevice(p, online{t, channel, location[strings.LastIndex(location, "/")+1:]})
		})
		t.Run(way+", many times", func(t *testing.T) {
			p := startPeer(t, append(command, strconv.Itoa(again/2))...)
			if h := p.wait("shook hands"); h.Times != again/2 {
				t.Errorf("%d times, want %d", h.Times, again/2)
			}
		})
	}
}

func tryLeshanDevice(p *peer, device online) {
	if got := device.read("/3/0/0"); string(got) != "Leshan" {
		p.t.Errorf("read %q", got)
	}
	device.write("/3/0/15", long(3000))
	if got := device.read("/3/0/15"); string(got) != string(long(3000)) {
		p.t.Errorf("a long value written came back as %d bytes", len(got))
	}
	device.execute("/3/0/4", "")
	if h := p.wait("executed"); h.Value != "4" {
		p.t.Errorf("executed %q", h.Value)
	}
	device.observe("/3/0/9", 3)
}

// credentials are a developer certificate's, as Leshan's client is given them.
type credentials struct{ uri, endpoint, folder string }

func developerCredentials(t *testing.T, channel *stage.Channel) credentials {
	t.Helper()
	var made struct {
		Source string `json:"security_file_content"`
	}
	if err := channel.Post(t.Context(), "/v3/developer-certificates", map[string]string{"name": "leshan"}, &made); err != nil {
		t.Fatal(err)
	}
	developer, err := credential.ParseDeveloper([]byte(made.Source))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write(t, folder, "certificate.der", developer.DeviceCertificate)
	write(t, folder, "ca.der", developer.ServerCACertificate)
	write(t, folder, "key.der", pkcs8(t, developer.PrivateKey))
	uri, _, _ := strings.Cut(developer.ServerURI, "?")
	return credentials{uri, developer.EndpointName, folder}
}

func pkcs8(t *testing.T, der []byte) []byte {
	t.Helper()
	key, err := pki.ParsePrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pki.MarshalPKCS8(key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func write(t *testing.T, folder, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}
