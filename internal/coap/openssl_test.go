package coap

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// OpenSSL as a client of ours, with the suite the original client offers and
// with the other one.
func TestOpenSSLConnects(t *testing.T) {
	for suite, spec := range map[string]string{
		"CCM_8": "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0",
		"GCM":   "ECDHE-ECDSA-AES128-GCM-SHA256",
	} {
		t.Run(suite, func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			files := writeIdentity(t, s)
			talkToOpenSSL(t, s, "-cipher", spec,
				"-cert", files.certificate, "-key", files.key, "-CAfile", files.ca, "-verify_return_error")
		})
	}
}

// talkToOpenSSL connects openssl s_client, has each say something to the other
// and returns the server's end.
func talkToOpenSSL(t *testing.T, s *site, args ...string) Conn {
	t.Helper()
	client := exec.CommandContext(limit(t), "openssl", append([]string{
		"s_client", "-dtls1_2", "-quiet", "-connect", s.listener.Addr().String(),
	}, args...)...)
	input, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = client.Process.Kill()
		_ = client.Wait()
	}()
	server := acceptFrom(t, s.listener)
	if _, err := input.Write([]byte("up\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := server.ReadMessage(limit(t)); err != nil || string(got) != "up\n" {
		t.Fatalf("read %q, %v", got, err)
	}
	if err := server.WriteMessage([]byte("down")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := output.Read(got); err != nil || string(got) != "down" {
		t.Fatalf("OpenSSL read %q, %v", got, err)
	}
	_ = server.Close()
	return server
}

func acceptFrom(t *testing.T, listener *Listener) Conn {
	t.Helper()
	conn, err := listener.Accept(limit(t))
	if err != nil {
		t.Fatalf("OpenSSL did not connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// OpenSSL as a server of ours.
func TestConnectingToOpenSSL(t *testing.T) {
	s := newSite(t, ListenConfig{})
	files := writeIdentity(t, s)
	address := freeAddress(t)
	ctx, stop := context.WithCancel(limit(t))
	defer stop()
	server := exec.CommandContext(ctx, "openssl", "s_server", "-dtls1_2", "-quiet", "-listen",
		"-accept", address, "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0",
		"-cert", files.certificate, "-key", files.key, "-CAfile", files.ca, "-Verify", "1", "-verify_return_error")
	input, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stop()
		_ = server.Wait()
	}()
	client := dialUntilListening(t, address, s.dial)
	defer func() { _ = client.Close() }()
	if _, err := input.Write([]byte("down\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := client.ReadMessage(limit(t)); err != nil || string(got) != "down\n" {
		t.Fatalf("read %q, %v", got, err)
	}
}

// dialUntilListening repeats until the program has opened its port.
func dialUntilListening(t *testing.T, address string, cfg DialConfig) Conn {
	t.Helper()
	ctx := limit(t)
	for {
		conn, err := Dial(ctx, address, cfg)
		if err == nil {
			return conn
		}
		if ctx.Err() != nil || !strings.Contains(err.Error(), "refused") {
			t.Fatal(err)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	return socket.LocalAddr().String()
}

type identityFiles struct{ certificate, key, ca string }

// writeIdentity writes the site's client identity and CA as PEM files.
func writeIdentity(t *testing.T, s *site) identityFiles {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(s.dial.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return identityFiles{
		certificate: write("certificate.pem", "CERTIFICATE", s.dial.Certificate.Certificate[0]),
		key:         write("key.pem", "PRIVATE KEY", key),
		ca:          write("ca.pem", "CERTIFICATE", s.ca.certificate.Raw),
	}
}
