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
	objects := a.newObjects()
	conn, err := a.connect(ctx, account, objects.handle)
	if err != nil {
		return a.afterFailedConnect(ctx, "LwM2M", err), false
	}
	defer conn.close()
	r := &registrar{agent: a, conn: conn, account: account, objects: objects, mark: mark}
	if err := r.resume(ctx); err != nil {
		return a.afterFailedRegistration(ctx, err), false
	}
	defer a.setState(State{})
	err = r.stay(ctx)
	if ctx.Err() != nil {
		r.deregister(context.WithoutCancel(ctx))
		return lost, true
	}
	if errors.Is(err, errRegistrationRefused) {
		return a.afterFailedRegistration(ctx, err), true
	}
	if errors.Is(err, coap.ErrClosed) {
		<-conn.ended
		err = conn.lossError() // says more
	}
	a.Log.Warn("connection to the LwM2M server lost", "err", err)
	return lost, true
}

// afterFailedConnect: a server that refuses our certificate, or is not the one
// our CA certificate stands for, makes the LwM2M credentials useless.
// Everything else may pass.
func (a *agent) afterFailedConnect(ctx context.Context, server string, err error) outcome {
	if ctx.Err() != nil {
		return lost
	}
	a.Log.Warn("cannot connect to the "+server+" server", "err", err)
	if errors.Is(err, coap.ErrRefused) || errors.Is(err, coap.ErrUntrusted) {
		return refused
	}
	return lost
}

func (a *agent) afterFailedRegistration(ctx context.Context, err error) outcome {
	if ctx.Err() != nil {
		return lost
	}
	a.Log.Warn("cannot register", "err", err)
	if errors.Is(err, errRegistrationRefused) {
		return refused
	}
	return lost
}

// stay keeps the registration and the path to the server alive.
func (r *registrar) stay(ctx context.Context) error {
	ping := time.NewTicker(r.agent.KeepAlive)
	defer ping.Stop()
	for {
		renewal := time.NewTimer(time.Until(r.renewAt))
		err := r.waitAndAct(ctx, ping.C, renewal.C)
		renewal.Stop()
		if err != nil {
			return err
		}
	}
}

func (r *registrar) waitAndAct(ctx context.Context, ping, renewal <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.conn.ended:
		return r.conn.lossError()
	case <-ping:
		return r.ping(ctx)
	case <-renewal:
		return r.update(ctx)
	case wanted := <-r.objects.wanted:
		if wanted == wantRegistration {
			return r.register(ctx)
		}
		return r.update(ctx)
	}
}

func (r *registrar) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return r.conn.Ping(ctx)
}
