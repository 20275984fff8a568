package lwm2m

import (
	"context"
	"errors"
	"net"
	"sync"

	"mbl/internal/coap"
)

// Listener is where connections come from: a coap.Listener.
type Listener interface {
	// Accept waits for the next connection; net.ErrClosed ends the waiting.
	Accept(ctx context.Context) (coap.Conn, error)
}

var _ Listener = (*coap.Listener)(nil)

// acceptAll has every connection of the listener served until ctx ends or the
// listener closes, and then waits for all of them; it returns nil in both cases.
// start must not wait, and calls done when the connection is served.
func acceptAll(ctx context.Context, listener Listener, start func(ctx context.Context, conn coap.Conn, done func())) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		conn, err := listener.Accept(ctx)
		switch {
		case err == nil:
			connections.Add(1)
			start(ctx, conn, connections.Done)
		case ctx.Err() != nil, errors.Is(err, net.ErrClosed):
			return nil
		default:
			return err
		}
	}
}
