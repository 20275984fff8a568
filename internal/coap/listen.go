package coap

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
)

const (
	defaultMaxHandshakes = 512
	defaultStalledAfter  = 5 * time.Second
	connectionIDLength   = 8
)

// ListenConfig says who the server is and whom it lets in.
type ListenConfig struct {
	// Certificate is the server's, with its private key.
	Certificate tls.Certificate
	// VerifyPeer decides about a client's certificate during the handshake,
	// after the client proved to hold its key. An error ends the handshake
	// with an alert. nil lets everyone in who has a P-256 certificate. ctx ends
	// when the listener closes.
	VerifyPeer func(ctx context.Context, certificate *x509.Certificate) error
	// HandshakeTimeout bounds one handshake; 60 s when zero.
	HandshakeTimeout time.Duration
	// MaxHandshakes bounds the handshakes under way at once; 512 when zero.
	// Clients beyond it wait: their first datagrams are kept for a while or
	// dropped, never refused.
	MaxHandshakes int
	// StalledAfter is how long a handshake keeps its place although others
	// wait for one; 5 s when zero.
	StalledAfter time.Duration
	// Log receives failed handshakes; nil discards.
	Log *slog.Logger
}

// Listener accepts connections. Handshakes run side by side: a slow or broken
// one holds up no other.
type Listener struct {
	inner      net.Listener
	cfg        ListenConfig
	handshakes *handshakes
	ready      chan *dtlsConn
	stop       context.CancelFunc
	stopped    <-chan struct{}
	working    sync.WaitGroup
}

// Listen opens a UDP port, "host:port" or ":port", for DTLS 1.2 clients. They
// prove their address by a cookie before the server does any work (RFC 6347
// §4.2.1), and are given connection ids if they ask for them (RFC 9146).
func Listen(address string, cfg ListenConfig) (*Listener, error) {
	local, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	inner, err := dtls.ListenWithOptions("udp", local, serverOptions(ctx, cfg)...)
	if err != nil {
		stop()
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	cfg.Log = orDiscard(cfg.Log)
	l := &Listener{
		inner: inner,
		cfg:   cfg,
		handshakes: newHandshakes(
			cmp.Or(cfg.MaxHandshakes, defaultMaxHandshakes), cmp.Or(cfg.StalledAfter, defaultStalledAfter)),
		ready:   make(chan *dtlsConn),
		stop:    stop,
		stopped: ctx.Done(),
	}
	l.working.Go(func() { l.acceptAll(ctx) })
	return l, nil
}

func serverOptions(ctx context.Context, cfg ListenConfig) []dtls.ServerOption {
	verify := func(leaf *x509.Certificate, _ []*x509.Certificate) error {
		if cfg.VerifyPeer == nil {
			return nil
		}
		return cfg.VerifyPeer(ctx, leaf)
	}
	options := []dtls.ServerOption{
		dtls.WithClientAuth(dtls.RequireAnyClientCert),
		dtls.WithVerifyPeerCertificate(verifyWith(verify)),
	}
	for _, option := range sharedOptions(cfg.Certificate, dtls.RandomCIDGenerator(connectionIDLength)) {
		options = append(options, option)
	}
	return options
}

// acceptAll starts a handshake for each new peer as long as there is a place.
func (l *Listener) acceptAll(ctx context.Context) {
	for {
		conn, err := l.inner.Accept()
		if err != nil {
			return // closed
		}
		shaking, end, err := l.handshakes.begin(ctx)
		if err != nil {
			_ = conn.Close()
			return
		}
		l.working.Go(func() {
			defer end()
			l.admit(ctx, shaking, conn.(*dtls.Conn))
		})
	}
}

// admit runs one handshake until shaking ends, and hands the connection to
// Accept until ctx ends.
func (l *Listener) admit(ctx, shaking context.Context, conn *dtls.Conn) {
	peer := conn.RemoteAddr()
	timeout := cmp.Or(l.cfg.HandshakeTimeout, defaultHandshakeTimeout)
	ready, err := shakeHands(shaking, conn, timeout, l.cfg.Log)
	if err != nil {
		l.cfg.Log.Info("handshake failed", "peer", peer, "error", err)
		return
	}
	select {
	case l.ready <- ready:
	case <-ctx.Done():
		_ = ready.Close()
	}
}

// Accept waits for the next client whose handshake is complete. It returns
// ctx's error when ctx ends and net.ErrClosed after Close. The caller closes
// the connection.
func (l *Listener) Accept(ctx context.Context) (Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.stopped:
		return nil, net.ErrClosed
	}
}

// Addr is the address the listener is bound to.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close stops listening and ends the handshakes under way. Accepted
// connections live on.
func (l *Listener) Close() error {
	l.stop()
	err := l.inner.Close()
	l.working.Wait()
	return err
}
