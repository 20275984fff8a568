//go:build openssl

package openssl

import (
	"crypto/x509"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// originalOffer is what the original client offers.
const originalOffer = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"

// program is a running openssl s_client.
type program struct {
	t      *testing.T
	input  io.WriteCloser
	output *io.PipeReader
	text   string // what it has written so far
}

func (s *site) startClient(t *testing.T, files identityFiles, args ...string) *program {
	t.Helper()
	client := exec.CommandContext(limit(t), "openssl", append([]string{
		"s_client", "-tls1_2", "-connect", s.address(), "-no_ticket", "-curves", "P-256",
		"-sigalgs", "ECDSA+SHA256:ECDSA+SHA224",
		"-cert", files.certificate, "-key", files.key, "-CAfile", files.ca, "-verify_return_error",
	}, args...)...)
	output, written := io.Pipe()
	client.Stdout, client.Stderr = written, written
	input, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = client.Wait()
		written.Close()
	}()
	t.Cleanup(func() {
		input.Close()
		output.Close()
		<-ended
	})
	return &program{t: t, input: input, output: output}
}

func (p *program) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.input, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// expect reads on until the program has written something.
func (p *program) expect(wanted string) {
	p.t.Helper()
	buffer := make([]byte, 1024)
	for !strings.Contains(p.text, wanted) {
		n, err := p.output.Read(buffer)
		p.text += string(buffer[:n])
		if err != nil {
			p.t.Fatalf("openssl did not write %q but\n%s", wanted, p.text)
		}
	}
}

func TestOpenSSLConnects(t *testing.T) {
	for name, c := range map[string]struct {
		offer string
		suite Suite
	}{
		"as the original client": {originalOffer, CCM8},
		"with the other suite":   {"ECDHE-ECDSA-AES128-GCM-SHA256", GCM},
		"with both":              {"ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0", GCM},
		"with all it has":        {"ALL:@SECLEVEL=0", GCM},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			client := s.startClient(t, s.files(t), "-cipher", c.offer)
			server := s.accept(t)
			if server.Suite() != c.suite {
				t.Errorf("speaks %v", server.Suite())
			}
			client.expect("Verify return code: 0 (ok)")
			client.say("up")
			if got, err := server.ReadMessage(limit(t)); err != nil || string(got) != "up\n" {
				t.Fatalf("read %q, %v", got, err)
			}
			if err := server.WriteMessage([]byte("down\n")); err != nil {
				t.Fatal(err)
			}
			client.expect("down\n")
			_ = server.Close()
			client.expect("closed\n")
		})
	}
}

// connectWith runs a client until it is connected.
func (s *site) connectWith(t *testing.T, files identityFiles, args ...string) (*program, *Conn) {
	t.Helper()
	client := s.startClient(t, files, args...)
	server := s.accept(t)
	client.expect("Verify return code: 0 (ok)")
	return client, server
}

// leaveSession connects as the original client and writes the session to its
// file.
func (s *site) leaveSession(t *testing.T, files identityFiles) {
	t.Helper()
	client, server := s.connectWith(t, files, "-cipher", originalOffer, "-sess_out", files.session)
	if server.Resumed() {
		t.Error("resumed what never was")
	}
	client.input.Close() // openssl leaves
	if _, err := server.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	_ = server.Close()
	_, _ = io.Copy(io.Discard, client.output)
}

func TestOpenSSLResumesByIDAlsoAfterARestart(t *testing.T) {
	s := newAuthorities(t)
	cfg := ListenConfig{Sessions: NewMemory(100)}
	cfg.Certificate = s.server(t)
	s.listener = listen(t, "127.0.0.1:0", cfg)
	files := s.files(t)
	s.leaveSession(t, files)
	for _, restarted := range []bool{false, true} {
		if restarted {
			s.restart(t, cfg)
		}
		client, server := s.connectWith(t, files, "-cipher", originalOffer, "-sess_in", files.session)
		if !server.Resumed() || server.PeerCertificate().Subject.CommonName != "device" {
			t.Errorf("after a restart %v: resumed %v, as %q", restarted, server.Resumed(), server.PeerCertificate().Subject)
		}
		client.expect("Reused, TLSv1.2")
	}
}

// The original client's session would bring its suite along.
func TestOriginalSessionIsNotResumedWithABetterOffer(t *testing.T) {
	s := newSite(t, ListenConfig{Sessions: NewMemory(100)})
	files := s.files(t)
	s.leaveSession(t, files)
	offer := originalOffer + ":ECDHE-ECDSA-AES128-GCM-SHA256"
	_, server := s.connectWith(t, files, "-cipher", offer, "-sess_in", files.session)
	if server.Resumed() || server.Suite() != GCM {
		t.Errorf("resumed %v, speaks %v", server.Resumed(), server.Suite())
	}
}

func TestRenegotiationIsRefused(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client := s.startClient(t, s.files(t), "-cipher", originalOffer, "-msg")
	server := s.accept(t)
	read := make(chan error, 1)
	go func() {
		_, err := server.ReadMessage(limit(t))
		read <- err
	}()
	client.expect("Verify return code: 0 (ok)")
	client.say("R")
	client.expect("no_renegotiation")
	// OpenSSL's client takes that for the end.
	if err := <-read; err == nil {
		t.Error("renegotiation was taken for a message")
	}
}

func TestOpenSSLIsToldThatItsCertificateIsRefused(t *testing.T) {
	s := newSite(t, verifying(func(*x509.Certificate) error { return errors.New("unknown") }))
	client := s.startClient(t, s.files(t), "-cipher", originalOffer)
	client.expect("alert unknown ca")
}
