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

// acceptAll serves every connection of the listener in a goroutine of its own
// until ctx ends or the listener closes, and then waits for all of them. It
// returns nil in both cases.
func acceptAll(ctx context.Context, listener Listener, serve func(context.Context, coap.Conn)) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		conn, err := listener.Accept(ctx)
		switch {
		case err == nil:
			connections.Go(func() { serve(ctx, conn) })
		case ctx.Err() != nil, errors.Is(err, net.ErrClosed):
			return nil
		default:
			return err
		}
	}
}
