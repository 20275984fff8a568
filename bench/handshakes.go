package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"mbl/internal/coap"
	"mbl/internal/pki"
)

// handshaker makes bare DTLS handshakes with a server in a process of its
// own, both with the library our programs use.
type handshaker struct {
	address string
	cfg     coap.DialConfig
	stop    func()
}

// serveHandshakes is that server. It prints its address and its certificate's
// authority on a line, and ends when its standard input does.
func serveHandshakes(ctx context.Context) error {
	authority, err := pki.NewAuthority("bench")
	if err != nil {
		return err
	}
	certificate, err := issueServer(authority)
	if err != nil {
		return err
	}
	listener, err := coap.Listen("127.0.0.1:0", coap.ListenConfig{Certificate: certificate})
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr(), base64.StdEncoding.EncodeToString(authority.Certificate.Raw))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with whoever started us
		_ = listener.Close()
	}()
	for {
		conn, err := listener.Accept(ctx)
		if err != nil {
			return nil //nolint:nilerr // closing the listener is how this ends
		}
		go drain(ctx, conn)
	}
}

// drain reads until the client says goodbye.
func drain(ctx context.Context, conn coap.Conn) {
	defer conn.Close()
	for {
		if _, err := conn.ReadMessage(ctx); err != nil {
			return
		}
	}
}

func issueServer(authority *pki.Authority) (tls.Certificate, error) {
	key, err := pki.NewKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := authority.IssueServer("bench", []string{"127.0.0.1"}, &key.PublicKey, pki.DistantPast, pki.DistantFuture)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func newHandshaker(ctx context.Context) (*handshaker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, self, "-dtls-server")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err, err2, cmd.Start()); err != nil {
		cancel()
		return nil, err
	}
	h := &handshaker{stop: func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
		cancel()
	}}
	if err := h.read(out); err != nil {
		h.stop()
		return nil, err
	}
	return h, nil
}

// read takes the server's line, and makes a client's certificate, which like a
// developer certificate is self-signed.
func (h *handshaker) read(out io.Reader) error {
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return err
	}
	address, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
	der, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	h.address = address
	if h.cfg.RootCA, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	client, err := pki.SelfSignDeveloper(key, "account", "endpoint", time.Now())
	h.cfg.Certificate = tls.Certificate{Certificate: [][]byte{client}, PrivateKey: key}
	return err
}

// once connects and says goodbye.
func (h *handshaker) once(ctx context.Context) error {
	conn, err := coap.Dial(ctx, h.address, h.cfg)
	if err != nil {
		return err
	}
	return conn.Close()
}
