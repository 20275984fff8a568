package lwm2m

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// Bootstrapper decides about bootstraps. Its errors are those of
// cloud.Service's methods of the same names.
type Bootstrapper interface {
	RecognizeBootstrap(ctx context.Context, certificate *x509.Certificate, others []*x509.Certificate, remoteAddr string) error
	BootstrapKey(ctx context.Context, identity string) ([]byte, error)
	Bootstrap(ctx context.Context, request cloud.BootstrapRequest) (*cloud.BootstrapGrant, error)
	BootstrapFinished(ctx context.Context, grant *cloud.BootstrapGrant) error
	BootstrapAborted(ctx context.Context, grant *cloud.BootstrapGrant, reason string)
	Enroll(ctx context.Context, grant *cloud.BootstrapGrant, request []byte) ([]byte, error)
}

var _ Bootstrapper = (*cloud.Service)(nil)

const (
	// bootstrapLimit is how long one connection may last. A client of the
	// slowest kind needs seconds.
	bootstrapLimit = 5 * time.Minute
	// lastBootstraps is how long bootstraps may go on when the server ends. A
	// client that hears of the end after our last request, but before its answer
	// is on record, believes that it may use what it was given. The management
	// server would refuse it, and it would bootstrap anew minutes later.
	lastBootstraps = 5 * time.Second
	// answerLimit is how long a request may wait for its answer in the
	// acknowledgement: clients were never seen with separate answers. The
	// first repetition comes after four seconds and is recognised.
	answerLimit = 20 * time.Second
)

// BootstrapServer gives devices their LwM2M credentials.
type BootstrapServer struct {
	svc     Bootstrapper
	log     *slog.Logger
	session coap.SessionConfig
}

// NewBootstrapServer makes a server that asks svc.
func NewBootstrapServer(svc Bootstrapper, log *slog.Logger) *BootstrapServer {
	return &BootstrapServer{svc: svc, log: log, session: coap.SessionConfig{Log: log, SeparateAfter: answerLimit}}
}

// VerifyChain is the check for the handshake (coap.ListenConfig): strangers get
// no further.
func (b *BootstrapServer) VerifyChain(ctx context.Context, from net.Addr, certificate *x509.Certificate, others []*x509.Certificate) error {
	return refusalOnly(b.svc.RecognizeBootstrap(ctx, certificate, others, from.String()), b.log)
}

// SharedKey finds the key of a device that comes with a pre-shared one
// (coap.ListenConfig).
func (b *BootstrapServer) SharedKey(ctx context.Context, identity string) ([]byte, error) {
	key, err := b.svc.BootstrapKey(ctx, identity)
	if err != nil && !isRefusal(err) {
		b.log.Error("cannot look up a pre-shared key", "error", err)
	}
	return key, err
}

// refusalOnly keeps our own trouble out of the handshake: a device whose
// handshake fails throws its credentials away.
func refusalOnly(err error, log *slog.Logger) error {
	if err != nil && !isRefusal(err) {
		log.Error("cannot check a certificate in the handshake", "error", err)
		return nil
	}
	return err
}

// Serve serves the listener's connections until ctx ends or the listener
// closes; it returns when the last connection has ended. Bootstraps under way may
// go on for a few seconds.
func (b *BootstrapServer) Serve(ctx context.Context, listener Listener) error {
	return acceptAll(ctx, listener, b.startConn)
}

func (b *BootstrapServer) startConn(ctx context.Context, conn coap.Conn, done func()) {
	go func() {
		defer done()
		b.serveConn(ctx, conn)
	}()
}

func (b *BootstrapServer) serveConn(ctx context.Context, conn coap.Conn) {
	log := b.log.With("peer", conn.RemoteAddr().String())
	one := &bootstrapping{svc: b.svc, log: log, conn: conn, busy: make(chan struct{}, 1)}
	one.session = coap.NewSession(conn, one.handle, settingsFor(conn, b.session))
	defer context.AfterFunc(ctx, one.end)()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bootstrapLimit)
	defer cancel()
	defer one.leave(ctx)
	if err := one.session.Serve(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		log.Debug("bootstrap connection ended", "error", err)
	}
}

// bootstrapping is one client on the bootstrap server.
type bootstrapping struct {
	svc     Bootstrapper
	log     *slog.Logger
	conn    coap.Conn
	session *coap.Session
	busy    chan struct{} // holds an element while a grant is being written
	query   query         // of the request whose grant it is
	decided bool          // the service has put the grant in force, or refused to

	enrolling atomic.Pointer[cloud.BootstrapGrant] // in force once the client has enrolled
}

// end closes the connection once no grant is being written.
func (b *bootstrapping) end() {
	select {
	case b.busy <- struct{}{}:
	case <-time.After(lastBootstraps):
	}
	_ = b.session.Close()
}

// handle answers the client's request, POST /bs (LwM2M 1.0 §5.2.7.1); the
// writes begin once the answer is out, since clients ignore earlier ones.
func (b *bootstrapping) handle(ctx context.Context, req *coap.Request) *coap.Response {
	if isEnrollment(req.Path) {
		return b.enroll(ctx, req)
	}
	if !slices.Equal(req.Path, []string{"bs"}) {
		return &coap.Response{Code: coap.NotFound}
	}
	if req.Code != coap.POST {
		return &coap.Response{Code: coap.MethodNotAllowed}
	}
	select {
	case b.busy <- struct{}{}:
	default:
		return &coap.Response{Code: coap.ServiceUnavailable}
	}
	grant, err := b.ask(ctx, req)
	if err != nil {
		<-b.busy
		b.logRefusal(err)
		return &coap.Response{Code: codeOf(err)}
	}
	return &coap.Response{Code: coap.Changed, Then: func(ctx context.Context) {
		defer func() { <-b.busy }()
		b.grant(ctx, grant)
	}}
}

func (b *bootstrapping) ask(ctx context.Context, req *coap.Request) (*cloud.BootstrapGrant, error) {
	q, err := parseQuery(req.Query)
	if err != nil {
		return nil, err
	}
	account, err := q.account()
	if err != nil {
		return nil, err
	}
	b.query = q
	peer := coap.PeerOf(b.conn)
	return b.svc.Bootstrap(ctx, cloud.BootstrapRequest{
		Certificate:   peer.Certificate,
		Others:        peer.Others,
		SharedKey:     peer.SharedKey,
		EndpointName:  q["ep"],
		AccountID:     account,
		DeviceID:      q["iep"],
		ClientVersion: q["mccv"],
		Enrolls:       q.enrolls(),
		RemoteAddr:    b.conn.RemoteAddr().String(),
		Since:         peer.Since,
	})
}

func (b *bootstrapping) logRefusal(err error) {
	if isRefusal(err) {
		b.log.Info("bootstrap refused", "reason", err)
		return
	}
	b.log.Error("cannot bootstrap a device", "error", err)
}
