package cloudapp_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// authority is a real ACME authority that finds every name on this machine.
type authority struct {
	directory string
	caFile    string         // of its own HTTPS
	roots     *x509.CertPool // what it signs with
	refuses   string         // a name it does not sign for
}

// startAuthority connects to port to convince itself.
func startAuthority(t *testing.T, port int) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	names := startNames(t)
	memory := db.NewMemoryStore()
	signer := ca.New(quiet, memory, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "the only one"}})
	front := wfe.New(quiet, memory, va.New(quiet, 0, port, false, names, memory), signer, []string{"authority.test"}, false, false, 1, 1)
	if err := memory.AddBlockedDomain("refused.test"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	a := &authority{
		directory: server.URL + wfe.DirectoryPath,
		caFile:    filepath.Join(t.TempDir(), "authority.pem"),
		roots:     x509.NewCertPool(),
		refuses:   "refused.test",
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(a.caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	a.roots.AddCert(signer.GetRootCert(0).Cert)
	return a
}

// startNames is a name server that says 127.0.0.1 to everything.
func startNames(t *testing.T) string {
	t.Helper()
	address := "127.0.0.1:" + strconv.Itoa(freePort(t))
	names, err := challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{address}, Log: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)})
	if err != nil {
		t.Fatal(err)
	}
	names.SetDefaultDNSIPv4("127.0.0.1")
	names.SetDefaultDNSIPv6("")
	go names.Run()
	t.Cleanup(names.Shutdown)
	return address
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestAnACMEAuthoritySignsTheHTTPSCertificate(t *testing.T) {
	port := freePort(t)
	authority := startAuthority(t, port)
	data, address := t.TempDir(), "127.0.0.1:"+strconv.Itoa(port)
	r := serve(t, data, "--https", address, "--acme", "mycloud.test", "--acme-directory", authority.directory, "--acme-ca-file", authority.caFile)
	signed := handshake(t, address, "mycloud.test", authority.roots)
	if signed.VerifyHostname("mycloud.test") != nil {
		t.Errorf("it is signed for %v", signed.DNSNames)
	}

	own := x509.NewCertPool()
	exported, err := os.ReadFile(r.addresses.CA)
	if err != nil {
		t.Fatal(err)
	}
	own.AppendCertsFromPEM(exported)
	handshake(t, address, "localhost", own) // by another name it is as without ACME
	r.stop()

	again := serve(t, data, "--https", address, "--acme", "mycloud.test", "--acme-directory", authority.directory, "--acme-ca-file", authority.caFile)
	if kept := handshake(t, address, "mycloud.test", authority.roots); !kept.Equal(signed) {
		t.Error("after a restart another certificate was asked for")
	}
	again.stop()
	files, err := filepath.Glob(filepath.Join(data, "acme", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing is kept: %v", err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", file, info.Mode(), err)
		}
	}
}

func TestAnACMEAuthorityThatRefusesIsInTheLog(t *testing.T) {
	port := freePort(t)
	authority := startAuthority(t, port)
	r := serve(t, t.TempDir(), "--https", "127.0.0.1:"+strconv.Itoa(port), "--acme", authority.refuses,
		"--acme-directory", authority.directory, "--acme-ca-file", authority.caFile)
	defer r.stop()
	awaitLog(t, r, "port 443")
	if status, _ := get(t, http.DefaultClient, r.addresses.HTTP+"/healthz"); status != 200 {
		t.Errorf("the service answers %d", status)
	}
}

// awaitLog waits until the service's log says something.
func awaitLog(t *testing.T, r *running, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(r.stderr.String(), text); {
		if time.Now().After(deadline) {
			t.Fatalf("the log says\n%s", r.stderr.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// handshake connects by a name and returns the certificate that was shown.
func handshake(t *testing.T, address, name string, roots *x509.CertPool) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatalf("as %s: %v", name, err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}
