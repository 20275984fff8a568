package openssl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"mbl/internal/coap"
	"mbl/internal/coap/gate"
)

const (
	defaultHandshakeTimeout = 60 * time.Second
	// A handshake that is given up costs an original client its credentials,
	// so it is given longer than over UDP.
	defaultStalledAfter = 20 * time.Second
	// RFC 5246 F.1.4 suggests no more.
	defaultSessionLifetime = 24 * time.Hour

	// A device's connection is idle for minutes; most NAT boxes keep one for
	// more than five.
	keepAliveIdle     = 5 * time.Minute
	keepAliveInterval = time.Minute
	keepAliveCount    = 4

	// acceptPause is how long we wait when the system has no more sockets.
	acceptPause = 100 * time.Millisecond
)

// ListenConfig says who the server is and whom it lets in.
type ListenConfig struct {
	// ListenConfig is as for DTLS, but that StalledAfter is 20 s when zero.
	// Clients above MaxUnfinished or MaxConnections are left unaccepted; those
	// above MaxConnectionsPerAddress are told to go once their handshake is
	// done. The private key must be an *ecdsa.PrivateKey.
	// VerifyPeer is asked once more when a client resumes a session; if it
	// refuses then, the handshake becomes a full one.
	coap.ListenConfig
	// Alert chooses what a client is told when VerifyPeer refused it with err;
	// UnknownCA when nil.
	Alert func(err error) Alert
	// Sessions lets clients resume their TLS sessions; nil: none.
	Sessions SessionStore
	// SessionLifetime is how long they can; 24 h when zero.
	SessionLifetime time.Duration
}

func (c ListenConfig) withDefaults() ListenConfig {
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, defaultHandshakeTimeout)
	c.MaxHandshakes = cmp.Or(c.MaxHandshakes, coap.DefaultMaxHandshakes)
	c.StalledAfter = cmp.Or(c.StalledAfter, defaultStalledAfter)
	c.Limits = c.Limits.WithDefaults()
	c.SessionLifetime = cmp.Or(c.SessionLifetime, defaultSessionLifetime)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Alert == nil {
		c.Alert = func(error) Alert { return UnknownCA }
	}
	return c
}

// Listener accepts connections. Handshakes run side by side: a slow or broken
// one holds up no other.
type Listener struct {
	inner     net.Listener
	cfg       ListenConfig
	original  engineContext // for clients that have CCM8 alone
	modern    engineContext // for all others
	keys      engineContext // for clients with pre-shared keys; nil: there are none
	gate      *gate.Gate
	silent    *silence
	ready     chan *Conn
	stop      context.CancelFunc
	stopped   <-chan struct{}
	working   sync.WaitGroup
	closeOnce sync.Once
}

// Listen opens a TCP port, "host:port" or ":port", for TLS 1.2 clients. It
// returns ErrNotBuilt when Supported is false.
func Listen(address string, cfg ListenConfig) (*Listener, error) {
	cfg = cfg.withDefaults()
	l := &Listener{cfg: cfg}
	if err := l.makeContexts(); err != nil {
		return nil, err
	}
	inner, err := listenTCP(address)
	if err != nil {
		l.freeContexts()
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l.inner, l.stop, l.stopped = inner, stop, ctx.Done()
	l.gate, l.silent, l.ready = gate.New(cfg.gateLimits()), newSilence(cfg.observe().PeerRefused), make(chan *Conn)
	l.working.Go(func() { l.acceptAll(ctx) })
	return l, nil
}

// makeContexts makes a context for each kind of clients. Sessions are not
// shared between them: they would bring their suite along.
func (l *Listener) makeContexts() (err error) {
	forSuite := func(suite Suite) (engineContext, error) {
		one := contextConfig{server: true, certificate: l.cfg.Certificate, lifetime: l.cfg.SessionLifetime, suite: suite}
		if l.cfg.Sessions != nil {
			one.sessions = suite.String()
		}
		return newContext(one)
	}
	if l.original, err = forSuite(CCM8); err == nil {
		l.modern, err = forSuite(GCM)
	}
	if err == nil && l.cfg.SharedKey != nil {
		l.keys, err = newContext(contextConfig{server: true, keys: true})
	}
	if err != nil {
		l.freeContexts()
	}
	return err
}

func (l *Listener) freeContexts() {
	for _, each := range []engineContext{l.original, l.modern, l.keys} {
		if each != nil {
			each.free()
		}
	}
}

func listenTCP(address string) (net.Listener, error) {
	keepAlive := net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
	}
	config := net.ListenConfig{KeepAliveConfig: keepAlive}
	return config.Listen(context.Background(), "tcp", address)
}

// acceptAll takes connections as long as there is room for them; under
// overload they wait in the system's queue, since closing them would make
// original clients bootstrap again.
func (l *Listener) acceptAll(ctx context.Context) {
	for {
		visit, err := l.gate.Reserve(ctx, l.silent.shed)
		if err != nil {
			return // closed
		}
		socket, err := l.accept(ctx)
		if err != nil {
			visit.Leave()
			return // closed
		}
		l.working.Go(func() { l.receive(ctx, visit, socket.(*net.TCPConn)) })
	}
}

// accept waits when the system has no sockets left.
func (l *Listener) accept(ctx context.Context) (net.Conn, error) {
	for {
		socket, err := l.inner.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return socket, err
		}
		l.cfg.Log.Warn("cannot accept a connection", "error", err)
		select {
		case <-time.After(acceptPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Accept waits for the next client whose handshake is complete. It returns
// ctx's error when ctx ends and net.ErrClosed after Close. The caller closes
// the connection, a *Conn.
func (l *Listener) Accept(ctx context.Context) (coap.Conn, error) {
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

// Count tells how many connections are there whose handshake is not done, and
// how many others.
func (l *Listener) Count() (unfinished, open int) { return l.gate.Count() }

// Close stops listening and ends the handshakes that are not done a little
// later: an original client throws its credentials away when one breaks.
// Accepted connections live on. It may be called more than once.
func (l *Listener) Close() error {
	var err error
	l.closeOnce.Do(func() {
		err = l.inner.Close()
		coap.Linger(&l.working)
		l.stop()
		l.working.Wait()
		l.freeContexts()
	})
	return err
}
