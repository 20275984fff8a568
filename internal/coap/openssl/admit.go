package openssl

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"mbl/internal/coap"
	"mbl/internal/coap/gate"
)

// receive sees a new connection through its handshake and hands it to Accept.
func (l *Listener) receive(ctx context.Context, visit *gate.Visit, socket *net.TCPConn) {
	log := l.cfg.Log.With("peer", socket.RemoteAddr().String())
	visit.ComesFrom(socket.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	conn, last, err := l.admit(ctx, visit, socket)
	if err == nil {
		stop()
		l.handOut(ctx, visit, conn)
		return
	}
	defer visit.Leave()
	defer stop()
	if ctx.Err() == nil {
		log.Info("handshake failed", "error", err)
	}
	if last == nil {
		socket.Close()
		return
	}
	lastWord(socket, last, refusalLinger)
}

// handOut hands a connection to Accept. One that is too many for its address
// ends as if it had been lost, which costs its client a pause only.
func (l *Listener) handOut(ctx context.Context, visit *gate.Visit, conn *Conn) {
	conn.left = visit.Leave
	if visit.Stay() != nil {
		l.cfg.observe().PeerRefused(coap.TCP, coap.RefusedCrowded)
		conn.Close()
		return
	}
	select {
	case l.ready <- conn:
	case <-ctx.Done():
		conn.Close()
	}
}

// admit hears what the client is and runs the handshake when its turn has
// come. If it fails, last is the record to tell the client, if there is one.
func (l *Listener) admit(ctx context.Context, visit *gate.Visit, socket *net.TCPConn) (conn *Conn, last []byte, err error) {
	records := &recordReader{source: socket}
	hello, first, err := l.hear(socket, records)
	if err != nil {
		return nil, nil, err
	}
	shaking, err := visit.Begin(ctx)
	if err != nil {
		if errors.Is(err, gate.ErrFull) {
			l.cfg.observe().PeerRefused(coap.TCP, coap.RefusedFull)
		}
		return nil, nil, err
	}
	defer visit.End()
	began := time.Now()
	conn, last, err = l.shakeHands(shaking, &handshake{socket: socket, records: records}, hello, first)
	if err != nil && shaking.Err() != nil && ctx.Err() == nil {
		err = coap.ErrStalled
	}
	l.cfg.observe().HandshakeEnded(observed(conn, began, err))
	return conn, last, err
}

// hear reads the ClientHello.
func (l *Listener) hear(socket *net.TCPConn, records *recordReader) (*clientHello, [][]byte, error) {
	defer l.silent.add(socket)()
	if err := socket.SetDeadline(time.Now().Add(min(helloTimeout, l.cfg.HandshakeTimeout))); err != nil {
		return nil, nil, err
	}
	return peekHello(records)
}

// shakeHands runs the handshake until ctx ends.
func (l *Listener) shakeHands(ctx context.Context, h *handshake, hello *clientHello, first [][]byte) (conn *Conn, last []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.HandshakeTimeout)
	defer cancel()
	if err := h.socket.SetDeadline(time.Now().Add(l.cfg.HandshakeTimeout)); err != nil {
		return nil, nil, err
	}
	if h.tls, err = l.contextFor(hello).newEngine(); err != nil {
		return nil, nil, err
	}
	defer h.tls.free()
	givenUp := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = h.socket.SetDeadline(time.Unix(1, 0))
		close(givenUp)
	})
	a := &admission{l: l, handshake: *h, keyed: l.takesKeyOf(hello), began: time.Now()}
	if a.keyed {
		a.inspect = func(record []byte) error { return a.findKey(ctx, record) }
	}
	conn, err = a.run(ctx, hello, first)
	if !stop() {
		<-givenUp
		err = errors.Join(err, h.socket.SetDeadline(time.Time{})) // it may just have been done
	}
	if err != nil {
		return nil, lastRecord(h.tls, err), err
	}
	return conn, nil, nil
}

func (l *Listener) contextFor(hello *clientHello) engineContext {
	switch {
	case l.takesKeyOf(hello):
		return l.keys
	case hello.offersOnly(CCM8):
		return l.original
	default:
		return l.modern
	}
}

func (l *Listener) takesKeyOf(hello *clientHello) bool { return l.keys != nil && hello.prefersKey() }

// lastRecord is what a client is told when its handshake failed with err: the
// alert of OpenSSL or of ours. Ours goes out in place of all that OpenSSL has
// to send, of which the client would expect the first part unencrypted, too.
func lastRecord(tls engine, err error) []byte {
	var refused *refusedError
	if errors.As(err, &refused) {
		return refused.alert.record()
	}
	return tls.output()
}

// admission is one handshake of a client with us.
type admission struct {
	handshake
	l     *Listener
	keyed bool // the client comes with a pre-shared key
	began time.Time
	peer  coap.Peer // the client, once approved, or once it has said whose key it has
}

// run goes through the handshake. In a full one OpenSSL is done before its
// last flight is sent; the client's certificate is judged in between, when the
// client has proved to hold its key and still expects an unencrypted answer.
// In a resumed one the session's certificate is judged first of all.
func (a *admission) run(ctx context.Context, hello *clientHello, first [][]byte) (*Conn, error) {
	if !a.keyed {
		a.offerSession(ctx, hello.sessionID)
	}
	reached, err := a.handshake.run(first)
	if err != nil {
		return nil, err
	}
	if !reached.resumed {
		if !a.keyed { // else it has proved to have the key that was found
			if err := a.approve(ctx, reached.chain); err != nil {
				return nil, err
			}
			a.saveSession(ctx, reached)
		}
		if err := a.send(); err != nil {
			return nil, err
		}
	}
	if err := a.socket.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return newConn(&a.handshake, reached, a.peer, a.l.forgetting(reached.sessionID))
}

// approve decides about a client's certificates (DER), its own first.
func (a *admission) approve(ctx context.Context, ders [][]byte) error {
	var chain []*x509.Certificate
	for _, der := range ders {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return &refusedError{BadCertificate, err}
		}
		chain = append(chain, certificate)
	}
	if !isOnP256(chain[0]) {
		return &refusedError{UnsupportedCertificate, errors.New("its key is not on P-256")}
	}
	if err := a.l.cfg.Verify(ctx, a.socket.RemoteAddr(), chain[0], chain[1:]); err != nil {
		return &refusedError{a.l.cfg.Alert(err), err}
	}
	a.peer = coap.Peer{Certificate: chain[0], Others: chain[1:]}
	return nil
}

// findKey looks for the pre-shared key that the client says it has, once it says
// so.
func (a *admission) findKey(ctx context.Context, record []byte) error {
	identity, named, err := keyIdentity(record)
	if err != nil {
		return &refusedError{decodeError, err}
	}
	if !named {
		return nil
	}
	if a.peer.SharedKey != "" {
		return &refusedError{decodeError, errKeyExchange}
	}
	key, err := a.l.cfg.SharedKey(ctx, identity)
	if err != nil {
		return &refusedError{unknownPSKIdentity, err}
	}
	a.peer = coap.Peer{SharedKey: identity, Since: a.began}
	return a.tls.useKey(identity, key)
}

// refusedError is a decision of VerifyPeer, or of ours about the same
// certificate.
type refusedError struct {
	alert Alert
	err   error
}

func (e *refusedError) Error() string { return "client refused: " + e.err.Error() }

func (e *refusedError) Unwrap() []error { return []error{coap.ErrPeerRefused, e.err} }
