package coap

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/pion/dtls/v3"
)

// DialConfig says who we are and whom we trust.
type DialConfig struct {
	// Certificate is ours, with its private key.
	Certificate tls.Certificate
	// RootCA is the only certificate the server's chain may end in. The
	// server's name is not checked.
	RootCA *x509.Certificate
	// Now is the time at which certificates must be valid. nil leaves validity
	// times unchecked: for devices without a trustworthy clock.
	Now func() time.Time
	// HandshakeTimeout bounds the handshake; 60 s when zero.
	HandshakeTimeout time.Duration
	// Log receives what the connection notices; nil discards.
	Log *slog.Logger
}

// Dial connects to a server, "host:port", over DTLS 1.2 (RFC 6347) with
// mutual certificates, and returns when the handshake is done. The caller
// closes the connection. ErrRefused and ErrUntrusted say that it failed over
// the certificates.
func Dial(ctx context.Context, address string, cfg DialConfig) (Conn, error) {
	if cfg.RootCA == nil {
		return nil, errors.New("cannot connect without the server's CA certificate")
	}
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "udp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", address, err)
	}
	// What the handshake fails with may be the server's answer to our alert, so
	// our own verdict is kept here.
	var untrusted error
	options := clientOptions(cfg.Certificate, func(leaf *x509.Certificate, rest []*x509.Certificate) error {
		untrusted = verifyServer(leaf, rest, cfg)
		return untrusted
	})
	conn, err := dtls.ClientWithOptions(connectedSocket{socket.(*net.UDPConn)}, socket.RemoteAddr(), options...)
	if err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("cannot set up DTLS: %w", err)
	}
	timeout := cmp.Or(cfg.HandshakeTimeout, defaultHandshakeTimeout)
	ready, err := shakeHands(ctx, conn, timeout, orDiscard(cfg.Log))
	if err != nil {
		return nil, fmt.Errorf("cannot complete the handshake with %s: %w", address, cmp.Or(untrusted, refusal(err)))
	}
	return ready, nil
}

func clientOptions(certificate tls.Certificate, verify chainCheck) []dtls.ClientOption {
	options := []dtls.ClientOption{
		dtls.WithInsecureSkipVerify(true), // verify does it, without the name
		dtls.WithVerifyPeerCertificate(verifyWith(verify)),
	}
	for _, option := range sharedOptions(certificate, dtls.OnlySendCIDGenerator()) {
		options = append(options, option)
	}
	return options
}

func verifyServer(leaf *x509.Certificate, rest []*x509.Certificate, cfg DialConfig) error {
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		CurrentTime:   begin(append(rest, leaf, cfg.RootCA)),
	}
	options.Roots.AddCert(cfg.RootCA)
	for _, certificate := range rest {
		options.Intermediates.AddCert(certificate)
	}
	if cfg.Now != nil {
		options.CurrentTime = cfg.Now()
	}
	if _, err := leaf.Verify(options); err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	return nil
}

// begin is the first moment at which all the certificates are valid, if there
// is one: the time to verify a chain at when the real time is unknown.
func begin(certificates []*x509.Certificate) time.Time {
	var latest time.Time
	for _, certificate := range certificates {
		if certificate.NotBefore.After(latest) {
			latest = certificate.NotBefore
		}
	}
	return latest
}

// connectedSocket lets a connected socket serve where destinations are named.
// Being connected it learns that nobody listens (ICMP) at once.
type connectedSocket struct{ *net.UDPConn }

// WriteTo sends to the address the socket is connected to.
func (c connectedSocket) WriteTo(data []byte, _ net.Addr) (int, error) { return c.Write(data) }
