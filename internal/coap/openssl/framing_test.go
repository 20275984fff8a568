//go:build openssl

package openssl

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"

	"mbl/internal/coap"
)

// serveCoAP answers every request of one client with its path, and returns the
// session, by which the client can be asked too.
func serveCoAP(t *testing.T, s *site) <-chan *coap.Session {
	t.Helper()
	sessions := make(chan *coap.Session, 1)
	go func() {
		conn, err := s.listener.Accept(t.Context())
		if err != nil {
			return
		}
		session := coap.NewSession(conn, func(_ context.Context, req *coap.Request) *coap.Response {
			body := strings.Join(req.Path, "/") + " " + string(req.Payload)
			return &coap.Response{Code: coap.Content, Payload: []byte(body)}
		}, coap.SessionConfig{})
		sessions <- session
		_ = session.Serve(t.Context())
	}()
	return sessions
}

// libcoap as a client of CoAP over TLS (RFC 8323), with small messages and
// with blocks both ways.
func TestLibcoapIsServedOnTheSamePort(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "one block": 512, "blocks": 3000} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			files := s.files(t)
			serveCoAP(t, s)
			body := bytes.Repeat([]byte("b"), size)
			client := exec.CommandContext(limit(t), "coap-client-openssl", "-m", "put", "-f", "-",
				"-c", files.certificate, "-j", files.key, "-C", files.ca, "-v", "4",
				"coaps+tcp://"+s.address()+"/some/path")
			client.Stdin = bytes.NewReader(body)
			out, err := client.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "some/path "+string(body)) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// The original client's messages look the same whichever clients there are
// besides.
func TestARecordClientIsKnownByItsFirstMessage(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, err := Dial(limit(t), s.address(), s.dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server := s.acceptAny(t)
	if err := server.WriteMessage([]byte{0x40, 1, 0, 1}); err != nil { // held back
		t.Fatal(err)
	}
	pass(t, client, server, "\x44\x02\x1e\xac\xf4\xa5\x2d\x7e\xb2bs")
	pass(t, server, client, "\x64\x44\x1e\xac\xf4\xa5\x2d\x7e")
}
