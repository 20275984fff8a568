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
)

const (
	defaultHandshakeTimeout = 60 * time.Second
	defaultMaxHandshakes    = 512
	defaultMaxPerAddress    = 64
	defaultMaxUnfinished    = 4096
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
	// ListenConfig is as for DTLS. The private key must be an *ecdsa.PrivateKey.
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
	// MaxHandshakesPerAddress bounds the handshakes under way from one IPv4
	// address or IPv6 /64 network; 64 when zero. Further ones wait.
	MaxHandshakesPerAddress int
	// MaxUnfinished bounds the connections that wait for their handshake, are
	// in it, or were refused and have not gone yet; 4096 when zero. Further
	// ones are left unaccepted. Of one address they may be half as many, above
	// which connections are closed.
	MaxUnfinished int
}

func (c ListenConfig) withDefaults() ListenConfig {
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, defaultHandshakeTimeout)
	c.MaxHandshakes = cmp.Or(c.MaxHandshakes, defaultMaxHandshakes)
	c.MaxHandshakesPerAddress = cmp.Or(c.MaxHandshakesPerAddress, defaultMaxPerAddress)
	c.MaxUnfinished = cmp.Or(c.MaxUnfinished, defaultMaxUnfinished)
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
	inner      net.Listener
	cfg        ListenConfig
	original   engineContext // for clients that have CCM8 alone
	modern     engineContext // for all others
	gate       *gate
	unfinished chan struct{} // one element for each connection not handed out yet
	ready      chan *Conn
	stop       context.CancelFunc
	stopped    <-chan struct{}
	working    sync.WaitGroup
	closeOnce  sync.Once
}

// Listen opens a TCP port, "host:port" or ":port", for TLS 1.2 clients. It
// returns ErrNotBuilt when Supported is false.
func Listen(address string, cfg ListenConfig) (*Listener, error) {
	cfg = cfg.withDefaults()
	original, modern, err := serverContexts(cfg)
	if err != nil {
		return nil, err
	}
	inner, err := listenTCP(address)
	if err != nil {
		original.free()
		modern.free()
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Listener{
		inner:      inner,
		cfg:        cfg,
		original:   original,
		modern:     modern,
		gate:       newGate(cfg.MaxHandshakes, cfg.MaxHandshakesPerAddress, max(cfg.MaxUnfinished/2, 1)),
		unfinished: make(chan struct{}, cfg.MaxUnfinished),
		ready:      make(chan *Conn),
		stop:       stop,
		stopped:    ctx.Done(),
	}
	l.working.Go(func() { l.acceptAll(ctx) })
	return l, nil
}

// serverContexts makes a context for each kind of clients. Sessions are not
// shared between them: they would bring their suite along.
func serverContexts(cfg ListenConfig) (original, modern engineContext, err error) {
	common := contextConfig{server: true, certificate: cfg.Certificate, lifetime: cfg.SessionLifetime}
	forSuite := func(suite Suite) (engineContext, error) {
		one := common
		one.suite = suite
		if cfg.Sessions != nil {
			one.sessions = suite.String()
		}
		return newContext(one)
	}
	if original, err = forSuite(CCM8); err != nil {
		return nil, nil, err
	}
	if modern, err = forSuite(GCM); err != nil {
		original.free()
		return nil, nil, err
	}
	return original, modern, nil
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
		select {
		case l.unfinished <- struct{}{}:
		case <-ctx.Done():
			return
		}
		socket, err := l.accept(ctx)
		if err != nil {
			return // closed
		}
		l.working.Go(func() {
			defer func() { <-l.unfinished }()
			l.receive(ctx, socket.(*net.TCPConn))
		})
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

// Close stops listening and ends the handshakes under way. Accepted
// connections live on. It may be called more than once.
func (l *Listener) Close() error {
	var err error
	l.closeOnce.Do(func() {
		l.stop()
		err = l.inner.Close()
		l.working.Wait()
		l.original.free()
		l.modern.free()
	})
	return err
}
