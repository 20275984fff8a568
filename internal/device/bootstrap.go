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
	// server has not closed: long enough for three of them (RFC 7252 §4.2). One
	// that never heard that all is well would take the credentials back.
	closeTimeout = 25 * time.Second
	// foreignCloseTimeout is for servers that are none of the original's kind,
	// whose grants name no account: they leave the closing to us.
	foreignCloseTimeout = 5 * time.Second
	// refusalTimeout is how long a server may take to do better after a request
	// of its that we refused. The original gives up at once.
	refusalTimeout = 10 * time.Second
)

// bootstrap gets LwM2M credentials from the bootstrap server and stores them,
// all or none.
func (a *agent) bootstrap(ctx context.Context, mark []byte) outcome {
	account, err := loadAccount(a.Store, bootstrapAccount())
	if err != nil {
		a.Log.Error("bootstrap credentials are not usable", "error", err)
		return lost
	}
	client := &bootstrapClient{agent: a, mark: mark, writes: newBootstrapWrites(), finished: make(chan struct{}), heard: make(chan struct{}), refused: make(chan struct{})}
	conn, err := a.connect(ctx, account, client.handle)
	if err != nil {
		a.afterFailedConnect(ctx, "bootstrap", err)
		return lost // there are no LwM2M credentials that could be refused
	}
	defer conn.close()
	a.Log.Info("bootstrapping", "server", account.uri.address, "endpoint_name", account.endpointName())
	if err := client.run(ctx, conn, account); err != nil {
		if ctx.Err() == nil {
			a.Log.Warn("bootstrap failed", "error", err)
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
	refusal  *time.Timer   // since the last request was refused; nil: it was not
	foreign  bool          // the grant names no account
	finished chan struct{} // closed when the credentials are stored
	heard    chan struct{} // closed when the server has acknowledged our last answer
	refused  chan struct{} // closed when nothing good has followed a refusal
}

func (c *bootstrapClient) run(ctx context.Context, conn *connection, account *serverAccount) error {
	c.agent.expect(bootstrapTimeout + closeTimeout)
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
	response, err := conn.do(ctx, &coap.Request{Code: coap.POST, Path: []string{"bs"}, Query: c.query(account)})
	switch {
	case c.isDone(): // whether or not its answer got lost
	case err != nil:
		return fmt.Errorf("cannot ask for a bootstrap: %w", err)
	case !response.Code.IsSuccess():
		return fmt.Errorf("the server answered %v %s", response.Code, response.Payload)
	}
	select {
	case <-c.finished:
	case <-conn.ended:
		if !c.isDone() {
			return conn.lossError()
		}
	case <-c.refused:
		return errors.New("the server's data was refused, and it sends no other")
	case <-ctx.Done():
		return ctx.Err()
	}
	c.waitUntilHeard(ctx, conn)
	return nil
}

// waitUntilHeard waits for the server to have got our last answer. It says so by
// acknowledging it or by ending the session.
func (c *bootstrapClient) waitUntilHeard(ctx context.Context, conn *connection) {
	patience := closeTimeout
	if c.isForeign() {
		patience = foreignCloseTimeout
	}
	select {
	case <-c.heard:
	case <-conn.Done():
	case <-ctx.Done():
	case <-time.After(patience):
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
	if c.refusal != nil && !c.refusal.Stop() {
		return &coap.Response{Code: coap.BadRequest} // given up
	}
	c.refusal = nil
	code := c.take(req)
	if code.Class() > 2 {
		c.agent.Log.Warn("bootstrap server's request refused", "method", req.Code, "path", req.Path, "answer", code)
		c.refusal = time.AfterFunc(refusalTimeout, func() { close(c.refused) })
	}
	if c.done { // told in a message of its own, as the original does
		return &coap.Response{Code: code, Separate: true, Then: func(context.Context) { close(c.heard) }}
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
		c.agent.Log.Warn("bootstrap server's data is not usable", "error", err)
		return coap.BadRequest
	}
	change.If = map[string][]byte{itemProvisioning: c.mark}
	if err := c.agent.Store.Replace(change); err != nil {
		if !errors.Is(err, keystore.ErrConflict) {
			c.agent.Log.Error("cannot store the LwM2M credentials", "error", err)
		}
		return coap.InternalServerError
	}
	c.done, c.foreign = true, accountOf(string(change.Put[itemLwM2MURI])) == ""
	close(c.finished)
	c.agent.Log.Info("bootstrapped", "device_id", string(change.Put[itemInternalEndpoint]))
	return coap.Changed
}

func (c *bootstrapClient) isForeign() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.foreign
}

func (c *bootstrapClient) isDone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}
