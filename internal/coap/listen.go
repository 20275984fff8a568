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
	"slices"
	"sync"
	"time"

	"github.com/pion/dtls/v3"

	"mbl/internal/coap/gate"
)

const (
	connectionIDLength = 8
	// readBuffer holds the datagrams of thousands of devices that come back at
	// once, in bytes.
	readBuffer = 4 << 20
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
	// VerifyChain is asked in place of VerifyPeer, if it is set, and is told
	// where the client is, and what else of its chain it presented.
	VerifyChain func(ctx context.Context, from net.Addr, certificate *x509.Certificate, others []*x509.Certificate) error
	// SharedKey finds the pre-shared key of an identity (RFC 4279): clients may
	// then come with one in place of a certificate. An error ends the handshake.
	// nil: only certificates are taken.
	SharedKey func(ctx context.Context, identity string) (key []byte, err error)
	// HandshakeTimeout bounds one handshake; 60 s when zero.
	HandshakeTimeout time.Duration
	// MaxHandshakes bounds the handshakes under way at once; 512 when zero.
	// Clients beyond it wait.
	MaxHandshakes int
	// StalledAfter is how long a handshake keeps its place although others
	// wait for one; 5 s when zero.
	StalledAfter time.Duration
	// Limits bound what else peers may use.
	Limits
	// Observer learns what happens at the port; nil: nobody.
	Observer PortObserver
	// Log receives failed handshakes; nil discards.
	Log *slog.Logger
}

// Listener accepts connections. Handshakes run side by side: a slow or broken
// one holds up no other.
type Listener struct {
	flows   *flows
	cfg     ListenConfig
	options []dtls.ServerOption
	gate    *gate.Gate
	ready   chan *udpConn
	stop    context.CancelFunc
	stopped <-chan struct{}
	working sync.WaitGroup
}

// Listen opens a UDP port, "host:port" or ":port", for DTLS 1.2 clients. They
// prove their address by a cookie before the server keeps or does anything
// (RFC 6347 §4.2.1), and are given connection ids if they ask for them (RFC
// 9146).
func Listen(address string, cfg ListenConfig) (*Listener, error) {
	if !canSetCookie() {
		return nil, errors.New("cannot listen: the DTLS library is another than expected")
	}
	local, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	socket, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	_ = socket.SetReadBuffer(readBuffer) // the system may allow less
	ctx, stop := context.WithCancel(context.Background())
	l := &Listener{
		flows:   newFlows(socket),
		cfg:     cfg,
		options: serverOptions(cfg),
		gate:    gate.New(cfg.gateLimits()),
		ready:   make(chan *udpConn),
		stop:    stop,
		stopped: ctx.Done(),
	}
	l.cfg.Log, l.cfg.Observer = orDiscard(cfg.Log), orNobody(cfg.Observer)
	l.flows.suites = certificateSuites()
	if cfg.SharedKey != nil {
		l.flows.suites = append(l.flows.suites, sharedKeySuites()...)
	}
	l.flows.full = func(from netip.Addr) bool { return l.turnsAway(from) }
	l.flows.open = func(f *flow) bool { return l.open(ctx, f) }
	go l.flows.read(ctx) // until the last connection is gone
	return l, nil
}

func serverOptions(cfg ListenConfig) []dtls.ServerOption {
	options := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
	for _, option := range sharedOptions(cfg.Certificate) {
		options = append(options, option)
	}
	return options
}

// Verify asks VerifyChain or VerifyPeer.
func (c ListenConfig) Verify(ctx context.Context, from net.Addr, certificate *x509.Certificate, others []*x509.Certificate) error {
	switch {
	case c.VerifyChain != nil:
		return c.VerifyChain(ctx, from, certificate, others)
	case c.VerifyPeer != nil:
		return c.VerifyPeer(ctx, certificate)
	default:
		return nil
	}
}

// turnsAway tells whether a client that begins cannot be let in now.
func (l *Listener) turnsAway(from netip.Addr) bool {
	err := l.gate.Why(from)
	if err != nil {
		l.cfg.Observer.PeerRefused(UDP, refusedBy(err))
	}
	return err != nil
}

// open starts the handshake of a client that has proved its address.
func (l *Listener) open(ctx context.Context, f *flow) bool {
	visit, err := l.gate.Enter(f.from.Addr())
	if err != nil {
		l.cfg.Observer.PeerRefused(UDP, refusedBy(err))
		return false
	}
	f.left = visit.Leave
	j := &joining{flow: f, shaking: f.shaking}
	j.told.draft = j.shaking.draft
	j.told.agreed = func(plain []byte) { j.shaking.deliver(plain, f.from) }
	from := net.UDPAddrFromAddrPort(f.from)
	verify := func(leaf *x509.Certificate, rest []*x509.Certificate) error {
		return refusing(l.cfg.Verify(ctx, from, leaf, rest))
	}
	options := append(slices.Clip(l.options), dtls.WithVerifyPeerCertificate(verifyWith(keeping(&j.accepted, verify))))
	options = append(options, sharedKeyOptions(ctx, l.cfg.SharedKey, func() { j.shaking.unknownIdentity.Store(true) })...)
	if f.shaking.takesID {
		options = append(options, dtls.WithConnectionIDGenerator(func() []byte { return f.id[:] }))
	}
	j.library, err = dtls.ServerWithOptions(j.shaking, from, append(options, j.told.options()...)...)
	if err != nil {
		l.cfg.Log.Error("cannot set up DTLS", "error", err)
		return false
	}
	j.shaking.setUp = func(cookie []byte) bool { return setCookie(j.library, cookie) }
	l.working.Go(func() { l.admit(ctx, visit, j) })
	return true
}

// joining is a client in its handshake.
type joining struct {
	flow     *flow
	shaking  *shaking
	library  *dtls.Conn
	told     overheard
	accepted Peer // if it came with a certificate
}

// admit runs one handshake when its turn has come, and hands the connection to
// Accept until ctx ends. The library is let go of in any case.
func (l *Listener) admit(ctx context.Context, visit *gate.Visit, j *joining) {
	shaking, err := visit.Begin(ctx)
	if err != nil {
		if errors.Is(err, gate.ErrFull) {
			l.cfg.Observer.PeerRefused(UDP, refusedBy(err))
		}
		j.flow.end(net.ErrClosed)
		_ = j.library.Close()
		return
	}
	defer visit.End()
	began := time.Now()
	conn, err := l.shakeHands(shaking, j)
	if err != nil && shaking.Err() != nil && ctx.Err() == nil {
		err = ErrStalled
	}
	l.cfg.Observer.HandshakeEnded(Handshake{Transport: UDP, Suite: j.told.suite(err), Took: time.Since(began), Err: err})
	if err != nil {
		l.cfg.Log.Info("handshake failed", "peer", j.flow.from, "error", err)
		_ = j.library.Close() // may have something to say
		j.flow.end(net.ErrClosed)
		return
	}
	visit.End()
	_ = visit.Stay() // counted before it was let in
	l.flows.settled(j.flow)
	select {
	case l.ready <- conn:
	case <-ctx.Done():
		_ = conn.Close()
	}
}

// shakeHands has the library make the handshake, and takes over from it.
func (l *Listener) shakeHands(ctx context.Context, j *joining) (*udpConn, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(l.cfg.HandshakeTimeout, defaultHandshakeTimeout))
	defer cancel()
	began := time.Now()
	if err := j.library.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	peer, err := provedPeer(j.library, j.accepted)
	if err != nil {
		return nil, err
	}
	peer.Since = began
	records, err := j.told.association(j.shaking, j.flow.id)
	if err != nil {
		return nil, err
	}
	conn := &udpConn{
		flow: j.flow, proof: NewProof(peer), log: l.cfg.Log,
		records: records, address: j.flow.from, last: j.shaking.lastFlight(),
	}
	if !j.flow.takeOver(conn) {
		return nil, net.ErrClosed
	}
	_ = j.library.Close() // it has no connection any more to close
	return conn, nil
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
func (l *Listener) Addr() net.Addr { return l.flows.socket.LocalAddr() }

// Count tells how many connections are there whose handshake is not done, and
// how many others.
func (l *Listener) Count() (unfinished, open int) { return l.gate.Count() }

// Close stops listening and ends the handshakes that are not done a little
// later: some devices throw their credentials away when one breaks. Accepted
// connections live on.
func (l *Listener) Close() error {
	err := l.flows.close()
	Linger(&l.working)
	l.stop()
	l.working.Wait()
	return err
}
