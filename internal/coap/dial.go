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
	"net/netip"
	"time"

	"github.com/pion/dtls/v3"
)

// DialConfig says who we are and whom we trust.
type DialConfig struct {
	// Certificate is ours, with its private key.
	Certificate tls.Certificate
	// SharedKey is our pre-shared key in place of a certificate; the server then
	// proves that it has it, and RootCA is not needed.
	SharedKey *SharedKey
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
//
// Where the host's name has several addresses they are tried in the resolver's
// order, each for its share of the time: that there is a route to an address
// does not yet mean that somebody answers there.
func Dial(ctx context.Context, address string, cfg DialConfig) (Conn, error) {
	if cfg.RootCA == nil && cfg.SharedKey == nil {
		return nil, errors.New("cannot connect without the server's CA certificate")
	}
	peers, err := resolve(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", address, err)
	}
	share := cmp.Or(cfg.HandshakeTimeout, defaultHandshakeTimeout) / time.Duration(len(peers))
	var failures []error
	for _, peer := range peers {
		conn, err := dialOne(ctx, peer, cfg, share)
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
		if ctx.Err() != nil || errors.Is(err, ErrRefused) || errors.Is(err, ErrUntrusted) {
			break
		}
	}
	return nil, fmt.Errorf("cannot connect to %s: %w", address, errors.Join(failures...))
}

// maxAddresses is how many addresses of a name are tried.
const maxAddresses = 4

func resolve(ctx context.Context, address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, err
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var peers []netip.AddrPort
	for _, each := range addresses[:min(len(addresses), maxAddresses)] {
		peers = append(peers, netip.AddrPortFrom(each.Unmap(), uint16(port)))
	}
	if len(peers) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	return peers, nil
}

func dialOne(ctx context.Context, peer netip.AddrPort, cfg DialConfig, timeout time.Duration) (Conn, error) {
	socket, err := newMovableSocket(peer)
	if err != nil {
		return nil, err
	}
	// What the handshake fails with may be the server's answer to our alert, so
	// our own verdict is kept here.
	var untrusted error
	var accepted Peer
	options := clientOptions(cfg, keeping(&accepted, func(leaf *x509.Certificate, rest []*x509.Certificate) error {
		untrusted = verifyServer(leaf, rest, cfg)
		return untrusted
	}))
	conn, err := dtls.ClientWithOptions(socket, socket.peer, options...)
	if err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("cannot set up DTLS: %w", err)
	}
	prove := func(conn *dtls.Conn) (Peer, error) { return provedPeer(conn, accepted) }
	if cfg.SharedKey != nil {
		prove = func(*dtls.Conn) (Peer, error) { return Peer{SharedKey: cfg.SharedKey.Identity}, nil }
	}
	ready, err := shakeHands(ctx, conn, timeout, prove, orDiscard(cfg.Log))
	if err != nil {
		return nil, fmt.Errorf("handshake with %v failed: %w", peer, cmp.Or(untrusted, refusal(err)))
	}
	return movableConn{ready, socket}, nil
}

func clientOptions(cfg DialConfig, verify chainCheck) []dtls.ClientOption {
	if cfg.SharedKey != nil {
		return sharedKeyClientOptions(*cfg.SharedKey)
	}
	options := []dtls.ClientOption{
		dtls.WithInsecureSkipVerify(true), // verify does it, without the name
		dtls.WithVerifyPeerCertificate(verifyWith(verify)),
	}
	for _, option := range append(sharedOptions(cfg.Certificate), dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator())) {
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
