//go:build interop

package interop

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"mbl/e2e/stage"
	"mbl/internal/coap"
)

// atOnce is how many connect at the same time: s_client takes half a second to
// leave a DTLS connection.
const atOnce = 16

// TestManyHandshakes has OpenSSL and libcoap connect to the bootstrap server
// over and over, by either transport and suite. aiocoap's and Leshan's tests do
// the same with theirs.
func TestManyHandshakes(t *testing.T) {
	service, apiKey := startService(t)
	folder := pemIdentity(t, service.OpenChannel(t.Context(), apiKey))
	address := strings.TrimPrefix(service.Bootstrap, "coaps://")
	file := func(name string) string { return filepath.Join(folder, name+".pem") }
	openssl := []string{
		"openssl", "s_client", "-connect", address, "-cert", file("certificate"), "-key", file("key"),
		"-CAfile", file("ca"), "-verify_return_error", "-cipher",
	}
	libcoap := []string{
		"coap-client-openssl", "-v", "6", "-c", file("certificate"), "-j", file("key"), "-C", file("ca"),
	}
	const short, long = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", "ECDHE-ECDSA-AES128-GCM-SHA256"
	for name, way := range map[string]connectingWay{
		"OpenSSL, DTLS, CCM_8": {append(openssl[:len(openssl):len(openssl)], short, "-dtls1_2"), "Verify return code: 0", false},
		"OpenSSL, DTLS, GCM":   {append(openssl[:len(openssl):len(openssl)], long, "-dtls1_2"), "Verify return code: 0", false},
		"OpenSSL, TLS, CCM_8":  {append(openssl[:len(openssl):len(openssl)], short, "-tls1_2"), "Verify return code: 0", false},
		"OpenSSL, TLS, GCM":    {append(openssl[:len(openssl):len(openssl)], long, "-tls1_2"), "Verify return code: 0", false},
		"libcoap, DTLS":        {append(libcoap[:len(libcoap):len(libcoap)], "coaps://"+address+"/nothing"), " c:4.04 ", true},
		"libcoap, TLS":         {append(libcoap[:len(libcoap):len(libcoap)], "coaps+tcp://"+address+"/nothing"), " c:4.04 ", false},
	} {
		t.Run(name, func(t *testing.T) {
			var rounds errgroup.Group
			rounds.SetLimit(atOnce)
			for round := range again {
				command := way.from(round)
				rounds.Go(func() error {
					client := exec.CommandContext(patience(t), command[0], command[1:]...)
					if out, err := client.CombinedOutput(); err != nil || !bytes.Contains(out, []byte(way.success)) {
						return fmt.Errorf("%v: %s", err, out) //nolint:errorlint // it may be nil
					}
					return nil
				})
			}
			check(t, rounds.Wait())
		})
	}
}

// connectingWay is a program that connects, and what it prints when it could.
type connectingWay struct {
	command       []string
	success       string
	sharesItsPort bool // with another of its kind, where the system picks it
}

// from is the command of one round. Each of those that set SO_REUSEADDR gets an
// address of its own: on one, two of them may have one port at the same time,
// and then take each other's datagrams.
func (w connectingWay) from(round int) []string {
	if !w.sharesItsPort {
		return w.command
	}
	return append([]string{w.command[0], "-a", fmt.Sprintf("127.1.%d.%d", round/250, round%250+1)}, w.command[1:]...)
}

// TestOpenSSLServesManyTimes is our own client against OpenSSL's server.
func TestOpenSSLServesManyTimes(t *testing.T) {
	w := newLeshanWorld(t, "openssl")
	key := filepath.Join(w.folder, "bootstrap-key.der")
	address := freeAddress(t)
	server, err := stage.Start("openssl", []string{
		"openssl", "s_server", "-dtls1_2", "-quiet", "-accept", address, "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0",
		"-cert", filepath.Join(w.folder, "bootstrap.der"), "-key", key, "-CAfile", pemFile(t, w.folder, "ca", "CERTIFICATE"),
		"-Verify", "1", "-verify_return_error",
	}, stage.Options{Dir: t.TempDir()})
	check(t, err)
	t.Cleanup(func() { server.Stop() })
	for round := range again {
		err := stage.Until(func() error {
			conn, err := coap.Dial(patience(t), address, w.dial)
			if err == nil {
				err = conn.Close()
			}
			return err
		})
		if err != nil {
			t.Fatalf("round %d: %v: %s", round, err, server.Output())
		}
	}
}

// pemIdentity is a folder with a developer certificate, its key and the
// bootstrap server's authority as PEM files.
func pemIdentity(t *testing.T, channel *stage.Channel) string {
	t.Helper()
	folder := developerCredentials(t, channel).folder
	pemFile(t, folder, "certificate", "CERTIFICATE")
	pemFile(t, folder, "ca", "CERTIFICATE")
	pemFile(t, folder, "key", "PRIVATE KEY")
	return folder
}

// pemFile writes what is in NAME.der to NAME.pem and returns that path.
func pemFile(t *testing.T, folder, name, kind string) string {
	t.Helper()
	der, err := os.ReadFile(filepath.Join(folder, name+".der"))
	check(t, err)
	write(t, folder, name+".pem", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	return filepath.Join(folder, name+".pem")
}

func freeAddress(t *testing.T) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	defer socket.Close()
	return socket.LocalAddr().String()
}
