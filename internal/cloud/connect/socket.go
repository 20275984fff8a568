package connect

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

// Socket is the client's end of a websocket channel.
type Socket interface {
	// Send sends one text and returns when the client has it.
	Send(ctx context.Context, text []byte) error
	// Alive returns when the client has answered a ping.
	Alive(ctx context.Context) error
	// Close ends the socket, with a reason that the client is told.
	Close(why SocketEnd)
	// Ended is closed when the client has closed the socket or is gone.
	Ended() <-chan struct{}
}

// SocketEnd is why a socket is closed.
type SocketEnd int

// The reasons.
const (
	SocketReplaced  SocketEnd = iota // another one was opened, or the channel was deleted
	SocketNoChannel                  // nobody registered the channel
	SocketKeyLost                    // its API key cannot be used any more
	SocketRestart                    // the service stops
	SocketLost                       // the client does not answer
)

const (
	sendLimit  = 20 * time.Second // for one message
	socketPing = 30 * time.Second // between signs of life
)

// socket is one that serves a channel.
type socket struct {
	end  chan SocketEnd // holds one element when it is to end
	done chan struct{}  // closed when it has ended
}

func (x *socket) stop(why SocketEnd) {
	select {
	case x.end <- why:
	default: // it is told already
	}
}

// RegisterSocket makes the caller's channel one for websockets and tells
// whether it is new. It returns ErrOtherChannel if there is one of another
// kind.
func (s *Service) RegisterSocket(ctx context.Context, who cloud.Principal, settings cloud.ChannelSettings) (created bool, err error) {
	return s.register(ctx, who, Websocket, settings)
}

// SocketStatus is the state of a websocket channel.
type SocketStatus struct {
	Connected bool
	Waiting   int // events
	Settings  cloud.ChannelSettings
}

// SocketStatus returns ErrNoChannel if the caller has no websocket channel.
func (s *Service) SocketStatus(who cloud.Principal) (SocketStatus, error) {
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	ch := s.channels.byKey[who.KeyID]
	if ch == nil || ch.kind != Websocket {
		return SocketStatus{}, ErrNoChannel
	}
	waiting := 0
	for _, p := range ch.pending {
		waiting += p.events
	}
	return SocketStatus{ch.socket != nil, waiting, ch.settings}, nil
}

// DeleteSocket deletes the caller's websocket channel with all that waits in
// it. It returns ErrNoChannel if there is none.
func (s *Service) DeleteSocket(ctx context.Context, who cloud.Principal) error {
	return s.unregister(ctx, who, Websocket)
}

// ServeSocket delivers what comes into the caller's websocket channel through
// a socket, in place of an earlier one, until either ends. What the client did
// not get stays in the channel.
func (s *Service) ServeSocket(ctx context.Context, who cloud.Principal, client Socket) {
	x := &socket{end: make(chan SocketEnd, 1), done: make(chan struct{})}
	ch, before := s.channels.plug(who.KeyID, x)
	if ch == nil {
		client.Close(SocketNoChannel)
		return
	}
	serve := func(context.Context) {
		defer close(x.done)
		defer s.channels.unplug(ch, x)
		if before != nil {
			before.stop(SocketReplaced)
			<-before.done // what it could not deliver is back
		}
		s.serveSocket(ctx, ch, x, client)
	}
	if !s.begin(serve) {
		client.Close(SocketRestart)
		return
	}
	<-x.done
}

// plug makes a socket the present one of a key's channel.
func (c *channels) plug(keyID string, x *socket) (ch *channel, before *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch = c.byKey[keyID]
	if ch == nil || ch.kind != Websocket {
		return nil, nil
	}
	before, ch.socket = ch.socket, x
	return ch, before
}

func (c *channels) unplug(ch *channel, x *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch.socket == x {
		ch.socket, ch.usedAt = nil, c.now()
	}
}

func (s *Service) serveSocket(ctx context.Context, ch *channel, x *socket, client Socket) {
	ticker := time.NewTicker(socketPing)
	defer ticker.Stop()
	for {
		select {
		case why := <-x.end:
			client.Close(why)
			return
		default:
		}
		if m := s.channels.take(ch); m != nil {
			if err := s.sendTo(ctx, ch, client, m); err != nil {
				s.channels.giveBack(ch, m)
				client.Close(SocketLost)
				return
			}
			continue
		}
		select {
		case <-ch.wake:
		case why := <-x.end:
			x.stop(why) // for the next round
		case <-ch.gone:
			x.stop(SocketReplaced)
		case <-s.stopping:
			x.stop(SocketRestart)
		case <-client.Ended():
			return
		case <-ticker.C:
			if err := alive(ctx, client); err != nil {
				client.Close(SocketLost)
				return
			}
		}
	}
}

func (s *Service) sendTo(ctx context.Context, ch *channel, client Socket, m *Message) error {
	text, err := s.channels.write(ch, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	return client.Send(ctx, text)
}

func alive(ctx context.Context, client Socket) error {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	return client.Alive(ctx)
}

// unplugKey ends the socket of a key that has changed.
func (c *channels) unplugKey(keyID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := c.byKey[keyID]; ch != nil && ch.socket != nil {
		ch.socket.stop(SocketKeyLost)
	}
}
