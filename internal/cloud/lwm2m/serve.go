package lwm2m

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"mbl/internal/coap"
)

// Listener is where connections come from: a coap.Listener.
type Listener interface {
	// Accept waits for the next connection; net.ErrClosed ends the waiting.
	Accept(ctx context.Context) (coap.Conn, error)
}

var _ Listener = (*coap.Listener)(nil)

// What is sent over TCP does not get lost, but a client may be busy for a minute
// or two: the original one answers nothing while it downloads. It then answers
// each copy of a request, and of several answers at once keeps the last ones
// back, until something else happens; so there are few copies. One is repeated
// all the same, since that gets out what a client has kept back.
const (
	streamAckTimeout    = 10 * time.Second
	streamMaxRetransmit = 2
)

// settingsFor are a session's settings on a connection.
func settingsFor(conn coap.Conn, settings coap.SessionConfig) coap.SessionConfig {
	if overTCP(conn) {
		settings.AckTimeout, settings.MaxRetransmit = streamAckTimeout, streamMaxRetransmit
	}
	return settings
}

func overTCP(conn coap.Conn) bool { return strings.HasPrefix(conn.RemoteAddr().Network(), "tcp") }

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
