package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mbl/internal/coap"
	"mbl/internal/keystore"
)

const (
	// bootstrapTimeout bounds a whole bootstrap.
	bootstrapTimeout = 5 * time.Minute
	// closeTimeout is how long we answer repetitions after the end, while the
	// server has not closed.
	closeTimeout = 5 * time.Second
)

// bootstrap gets LwM2M credentials from the bootstrap server and stores them,
// all or none.
func (a *agent) bootstrap(ctx context.Context, mark []byte) outcome {
	account, err := loadAccount(a.Store, bootstrapAccount())
	if err != nil {
		a.Log.Error("bootstrap credentials are not usable", "err", err)
		return lost
	}
	client := &bootstrapClient{agent: a, mark: mark, writes: newBootstrapWrites(), finished: make(chan struct{})}
	conn, err := a.connect(ctx, account, client.handle)
	if err != nil {
		a.afterFailedConnect(ctx, "bootstrap", err)
		return lost // there are no LwM2M credentials that could be refused
	}
	defer conn.close()
	a.Log.Info("bootstrapping", "server", account.uri.address, "endpoint_name", account.endpointName())
	if err := client.run(ctx, conn, account); err != nil {
		if ctx.Err() == nil {
			a.Log.Warn("bootstrap failed", "err", err)
		}
		return lost
	}
	a.registration = registration{}
	return bootstrapped
}

// bootstrapClient is the device's side of one bootstrap (LwM2M 1.0 §5.2): it
// asks, the server writes, and finishes.
type bootstrapClient struct {
	agent *agent
	mark  []byte

	mu       sync.Mutex // requests may come while others are being answered
	writes   *bootstrapWrites
	done     bool
	finished chan struct{} // closed when the credentials are stored
}

func (c *bootstrapClient) run(ctx context.Context, conn *connection, account *serverAccount) error {
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
	response, err := conn.do(ctx, &coap.Request{Code: coap.POST, Path: []string{"bs"}, Query: c.query(account)})
	if err != nil {
		return fmt.Errorf("cannot ask for a bootstrap: %w", err)
	}
	if !response.Code.IsSuccess() {
		return fmt.Errorf("the server answered %v %s", response.Code, response.Payload)
	}
	select {
	case <-c.finished:
	case <-conn.ended:
		if !c.isDone() {
			return conn.lossError()
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	c.waitForClose(ctx, conn)
	return nil
}

// waitForClose lets the server end the session, which is how it says that it
// got our last answer.
func (c *bootstrapClient) waitForClose(ctx context.Context, conn *connection) {
	select {
	case <-conn.Done():
	case <-ctx.Done():
	case <-time.After(closeTimeout):
	}
}

// query has the original's parameters in its order: ep, those of the URI, iep
// if the device had an id before, mccv.
func (c *bootstrapClient) query(account *serverAccount) []string {
	query := append([]string{"ep=" + account.endpointName()}, account.uri.query...)
	if id, err := c.agent.Store.Get(itemInternalEndpoint); err == nil && len(id) > 0 {
		query = append(query, "iep="+string(id))
	}
	return append(query, "mccv="+c.agent.clientVersion())
}

func (c *bootstrapClient) handle(_ context.Context, req *coap.Request) *coap.Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return &coap.Response{Code: coap.BadRequest}
	}
	code := c.take(req)
	if code.Class() > 2 {
		c.agent.Log.Warn("bootstrap server's request refused", "method", req.Code, "path", req.Path, "answer", code)
	}
	return &coap.Response{Code: code}
}

func (c *bootstrapClient) take(req *coap.Request) coap.Code {
	switch {
	case req.Code == coap.POST && slices.Equal(req.Path, []string{"bs"}):
		return c.finish()
	case req.Code == coap.PUT:
		return c.writes.put(req.Path, req.ContentFormat, req.Payload)
	case req.Code == coap.DELETE:
		return c.writes.remove(req.Path)
	default:
		return coap.MethodNotAllowed
	}
}

// finish stores what was written, before the server hears that it is done.
func (c *bootstrapClient) finish() coap.Code {
	change, err := c.writes.result()
	if err != nil {
		c.agent.Log.Warn("bootstrap server's data is not usable", "err", err)
		return coap.BadRequest
	}
	change.If = map[string][]byte{itemProvisioning: c.mark}
	if err := c.agent.Store.Replace(change); err != nil {
		if !errors.Is(err, keystore.ErrConflict) {
			c.agent.Log.Error("cannot store the LwM2M credentials", "err", err)
		}
		return coap.InternalServerError
	}
	c.done = true
	close(c.finished)
	c.agent.Log.Info("bootstrapped", "device_id", string(change.Put[itemInternalEndpoint]))
	return coap.Changed
}

func (c *bootstrapClient) isDone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}
