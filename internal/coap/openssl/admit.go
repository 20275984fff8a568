package openssl

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// receive sees a new connection through its handshake and hands it to Accept.
func (l *Listener) receive(ctx context.Context, socket *net.TCPConn) {
	log := l.cfg.Log.With("peer", socket.RemoteAddr().String())
	visit, err := l.gate.arrive(socket.RemoteAddr())
	if err != nil {
		log.Warn("connection closed", "error", err)
		socket.Close()
		return
	}
	defer visit.leave()
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	conn, last, err := l.admit(ctx, visit, socket)
	if err == nil {
		stop()
		l.handOut(ctx, conn)
		return
	}
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

func (l *Listener) handOut(ctx context.Context, conn *Conn) {
	select {
	case l.ready <- conn:
	case <-ctx.Done():
		conn.Close()
	}
}

// admit runs the handshake when its turn has come. If it fails, last is the
// record to tell the client, if there is one.
func (l *Listener) admit(ctx context.Context, visit *visit, socket *net.TCPConn) (conn *Conn, last []byte, err error) {
	waiting, cancel := context.WithTimeout(ctx, l.cfg.HandshakeTimeout)
	defer cancel()
	if err := visit.begin(waiting); err != nil {
		return nil, nil, fmt.Errorf("handshake did not get its turn: %w", err)
	}
	defer visit.end()

	ctx, cancel = context.WithTimeout(ctx, l.cfg.HandshakeTimeout)
	defer cancel()
	if err := socket.SetDeadline(time.Now().Add(l.cfg.HandshakeTimeout)); err != nil {
		return nil, nil, err
	}
	records := &recordReader{source: socket}
	hello, first, err := peekHello(records)
	if err != nil {
		return nil, nil, err
	}
	tls, err := l.contextFor(hello).newEngine()
	if err != nil {
		return nil, nil, err
	}
	a := &admission{l: l, handshake: handshake{socket, records, tls}}
	conn, err = a.run(ctx, hello, first)
	if err != nil {
		last = lastRecord(tls, err)
		tls.free()
		return nil, last, err
	}
	return conn, nil, nil
}

func (l *Listener) contextFor(hello *clientHello) engineContext {
	if hello.offersOnly(CCM8) {
		return l.original
	}
	return l.modern
}

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
	l           *Listener
	certificate *x509.Certificate // of the client, once approved
}

// run goes through the handshake. In a full one OpenSSL is done before its
// last flight is sent; the client's certificate is judged in between, when the
// client has proved to hold its key and still expects an unencrypted answer.
// In a resumed one the session's certificate is judged first of all.
func (a *admission) run(ctx context.Context, hello *clientHello, first [][]byte) (*Conn, error) {
	a.offerSession(ctx, hello.sessionID)
	reached, err := a.handshake.run(first)
	if err != nil {
		return nil, err
	}
	if !reached.resumed {
		if err := a.approve(ctx, reached.chain[0]); err != nil {
			return nil, err
		}
		a.saveSession(ctx, reached)
		if err := a.send(); err != nil {
			return nil, err
		}
	}
	if err := a.socket.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return newConn(&a.handshake, reached, a.certificate, a.l.forgetting(reached.sessionID)), nil
}

// approve decides about a certificate (DER).
func (a *admission) approve(ctx context.Context, der []byte) error {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return &refusedError{BadCertificate, err}
	}
	if !isOnP256(certificate) {
		return &refusedError{UnsupportedCertificate, errors.New("its key is not on P-256")}
	}
	if a.l.cfg.VerifyPeer != nil {
		if err := a.l.cfg.VerifyPeer(ctx, certificate); err != nil {
			return &refusedError{a.l.cfg.Alert(err), err}
		}
	}
	a.certificate = certificate
	return nil
}

// refusedError is a decision of VerifyPeer, or of ours about the same
// certificate.
type refusedError struct {
	alert Alert
	err   error
}

func (e *refusedError) Error() string { return "client refused: " + e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }
