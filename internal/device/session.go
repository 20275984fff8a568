package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mbl/internal/coap"
)

const (
	// requestTimeout bounds one request of ours, retransmissions and blocks
	// included.
	requestTimeout = 2 * time.Minute
	// pingTimeout is when a server that does not answer a ping counts as
	// gone. With the default keep-alive that is within a minute of its going.
	pingTimeout = 30 * time.Second
	// farewellTimeout bounds the de-registration at the end.
	farewellTimeout = 5 * time.Second
)

// connection is a session with its reader running.
type connection struct {
	*coap.Session
	conn  coap.Conn
	ended chan struct{} // closed when the reader is done
	err   error         // why; valid then
}

// connect dials an account's server and starts a session whose requests
// handler answers. It lives until close is called or the peer is gone, not
// only as long as ctx: there may be a farewell to say.
func (a *agent) connect(ctx context.Context, account *serverAccount, handler coap.Handler) (*connection, error) {
	conn, err := a.Dial(ctx, account.uri.address, coap.DialConfig{
		Certificate: account.tls, RootCA: account.ca, Log: a.Log,
	})
	if err != nil {
		return nil, err
	}
	c := &connection{
		Session: coap.NewSession(conn, handler, coap.SessionConfig{Log: a.Log}),
		conn:    conn,
		ended:   make(chan struct{}),
	}
	go func() {
		defer close(c.ended)
		c.err = c.Serve(context.WithoutCancel(ctx))
	}()
	return c, nil
}

// close ends the session and waits for its reader.
func (c *connection) close() {
	_ = c.Close() // close_notify may not get through any more
	<-c.ended
}

// lossError is why the session ended by itself.
func (c *connection) lossError() error {
	if c.err == nil {
		return errors.New("the server closed the connection")
	}
	return fmt.Errorf("the connection broke: %w", c.err)
}

func (c *connection) do(ctx context.Context, req *coap.Request) (*coap.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return c.Do(ctx, req)
}

// stayRegistered connects to the LwM2M server, registers and stays registered
// until the connection is lost, the credentials are refused or ctx ends.
func (a *agent) stayRegistered(ctx context.Context, mark []byte, account *serverAccount) (ended outcome, registered bool) {
	observations := &observations{tree: a.tree, attributes: a.attributes, changes: a.changes}
	conn, err := a.connect(ctx, account, observations.handle)
	if err != nil {
		return a.afterFailedConnect(ctx, "LwM2M", err), false
	}
	defer conn.close()
	defer observations.begin(ctx, conn.Session)()
	a.peer.set(conn.conn.RemoteAddr())
	a.wishes.take() // what was wished of an earlier connection
	a.renewResources()
	r := &registrar{agent: a, conn: conn, account: account, mark: mark}
	// What is under way when ctx ends may succeed at the server: its answer is
	// waited for, so that it can be taken back.
	lingering, done := lingerAfter(ctx, farewellTimeout)
	defer done()
	err = r.resume(lingering)
	if err == nil {
		registered = true
		a.wishes.make(wishTell) // of what came while it registered
		defer a.setState(State{})
		err = r.stay(ctx, lingering)
	}
	switch {
	case ctx.Err() != nil:
		r.deregister(context.WithoutCancel(ctx))
		return lost, registered
	case errors.Is(err, errDisabled):
		r.deregister(ctx)
		return disabled, registered
	case errors.Is(err, errOutdated):
		r.deregister(ctx)
		return outdated, registered
	case !registered || errors.Is(err, errRegistrationRefused):
		return a.afterFailedRegistration(ctx, err), registered
	case errors.Is(err, coap.ErrClosed):
		<-conn.ended
		err = conn.lossError() // says more
	}
	a.Log.Warn("connection to the LwM2M server lost", "error", err)
	return lost, registered
}

// lingerAfter is a context that ends a while after ctx does.
func lingerAfter(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	lingering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(while, cancel)
		context.AfterFunc(lingering, func() { timer.Stop() })
	})
	return lingering, func() {
		stop()
		cancel()
	}
}

// afterFailedConnect: a server that refuses our certificate, or is not the one
// our CA certificate stands for, makes the LwM2M credentials useless.
// Everything else may pass.
func (a *agent) afterFailedConnect(ctx context.Context, server string, err error) outcome {
	if ctx.Err() != nil {
		return lost
	}
	a.Log.Warn("cannot connect to the "+server+" server", "error", err)
	if errors.Is(err, coap.ErrRefused) || errors.Is(err, coap.ErrUntrusted) {
		return refused
	}
	return lost
}

func (a *agent) afterFailedRegistration(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		return lost
	}
	a.Log.Warn("cannot register", "error", err)
	if errors.Is(err, errRegistrationRefused) {
		return refused
	}
	return lost
}

// errDisabled: the server wants to be left alone for a while.
var errDisabled = errors.New("the server disabled itself")

// errOutdated: the server wants a bootstrap, before our certificate ends.
var errOutdated = errors.New("the server asks for a bootstrap")

// stay keeps the registration and the path to the server alive until ctx ends.
// Exchanges with the server may end with lingering.
func (r *registrar) stay(ctx, lingering context.Context) error {
	ping := time.NewTicker(r.agent.KeepAlive)
	defer ping.Stop()
	for {
		renewal := time.NewTimer(time.Until(r.renewAt))
		err := r.waitAndAct(ctx, lingering, ping.C, renewal.C)
		renewal.Stop()
		if err != nil {
			return err
		}
	}
}

func (r *registrar) waitAndAct(ctx, lingering context.Context, ping, renewal <-chan time.Time) error {
	r.agent.expect(r.agent.KeepAlive)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.conn.ended:
		return r.conn.lossError()
	case <-ping:
		return r.ping(ctx)
	case <-renewal:
		return r.update(lingering)
	case <-r.agent.NetworkChanged:
		return r.move(ctx)
	case <-r.agent.wishes.made:
		return r.fulfil(lingering, r.agent.wishes.take())
	}
}

func (r *registrar) fulfil(ctx context.Context, wished wish) error {
	switch {
	case wished&wishDisable != 0:
		return errDisabled
	case wished&wishBootstrap != 0:
		return errOutdated
	}
	told := r.agent.tree.isOf(r.agent.registration.version)
	if wished&wishUpdate != 0 || wished&wishTell != 0 && !told {
		return r.update(ctx)
	}
	return nil
}

// move follows the machine to another address, and makes sure that the server
// hears us from there. While there is no network at all nothing is lost yet.
func (r *registrar) move(ctx context.Context) error {
	mover, ok := r.conn.conn.(coap.Mover)
	if !ok {
		return nil
	}
	if err := mover.Move(); errors.Is(err, coap.ErrMoved) {
		return err
	} else if err != nil {
		r.agent.Log.Info("no network", "error", err)
		return nil
	}
	return r.ping(ctx)
}

func (r *registrar) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	r.agent.expect(pingTimeout)
	return r.conn.Ping(ctx)
}
