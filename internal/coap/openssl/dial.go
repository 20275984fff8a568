package openssl

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"mbl/internal/coap"
)

// DialConfig says who we are and whom we trust.
type DialConfig struct {
	// DialConfig is as for DTLS. The private key must be an *ecdsa.PrivateKey.
	coap.DialConfig
	// Suite is the only one offered; CCM8 when zero, as original clients do.
	Suite Suite
	// Resume is the Session of an earlier connection, or nil.
	Resume []byte
}

// Dial connects to a server, "host:port", as the original client does, and
// returns when the handshake is done. The caller closes the connection. It is
// for test clients and simulated devices. It returns ErrNotBuilt when
// Supported is false.
func Dial(ctx context.Context, address string, cfg DialConfig) (*Conn, error) {
	if cfg.RootCA == nil && cfg.SharedKey == nil {
		return nil, errors.New("cannot connect without the server's CA certificate")
	}
	tls, err := clientEngine(cfg)
	if err != nil {
		return nil, err
	}
	defer tls.free()
	conn, err := dial(ctx, address, cfg, tls)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", address, err)
	}
	return conn, nil
}

func clientEngine(cfg DialConfig) (engine, error) {
	shared, err := newContext(contextConfig{certificate: cfg.Certificate, suite: cmp.Or(cfg.Suite, CCM8), keys: cfg.SharedKey != nil})
	if err != nil {
		return nil, err
	}
	defer shared.free()
	tls, err := shared.newEngine()
	if err == nil && cfg.SharedKey != nil {
		return tls, tls.useKey(cfg.SharedKey.Identity, cfg.SharedKey.Key)
	}
	if err != nil || cfg.Resume == nil {
		return tls, err
	}
	// The server was verified when the session was made.
	if err := tls.offer(cfg.Resume, func([]byte) error { return nil }); err != nil {
		tls.free()
		return nil, err
	}
	return tls, nil
}

func dial(ctx context.Context, address string, cfg DialConfig, tls engine) (conn *Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(cfg.HandshakeTimeout, defaultHandshakeTimeout))
	defer cancel()
	var dialer net.Dialer
	connected, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	socket := connected.(*net.TCPConn)
	defer func() {
		if err != nil {
			socket.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	conn, err = shakeHands(&handshake{socket: socket, records: &recordReader{source: socket}, tls: tls}, cfg)
	if !stop() {
		return nil, ctx.Err()
	}
	return conn, err
}

func shakeHands(h *handshake, cfg DialConfig) (*Conn, error) {
	reached, err := h.run([][]byte{nil})
	if err != nil {
		_ = h.send() // the alert
		return nil, err
	}
	var server coap.Peer
	if cfg.SharedKey == nil { // else it has proved to have the key
		if server, err = approveServer(reached, cfg); err != nil {
			return nil, err
		}
	}
	if err := h.send(); err != nil {
		return nil, err
	}
	conn, err := newConn(h, reached, server, func(context.Context) {})
	if err != nil {
		return nil, err
	}
	conn.session = reached.session
	conn.framing.UseRecords()
	return conn, nil
}

// approveServer decides about the server's certificates.
func approveServer(reached state, cfg DialConfig) (coap.Peer, error) {
	chain, err := parseChain(reached.chain)
	if err != nil {
		return coap.Peer{}, err
	}
	server := coap.Peer{Certificate: chain[0], Others: chain[1:]}
	if reached.resumed {
		return server, nil
	}
	return server, cfg.VerifyServer(chain[0], chain[1:])
}

func parseChain(ders [][]byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for _, der := range ders {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("cannot read the server's certificate: %w", err)
		}
		chain = append(chain, certificate)
	}
	if !isOnP256(chain[0]) {
		return nil, errors.New("the server's key is not on P-256")
	}
	return chain, nil
}

func isOnP256(certificate *x509.Certificate) bool {
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	return ok && key.Curve == elliptic.P256()
}
