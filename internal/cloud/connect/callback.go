package connect

import (
	"context"
	"errors"
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"

	"mbl/internal/cloud"
	"mbl/internal/webhook"
)

// Callbacks delivers to the addresses that clients registered. It is a
// webhook.Client.
type Callbacks interface {
	// Put sends a body. It returns nil if the address has taken it, and
	// webhook.ErrForbiddenAddress if it is one that must not be reached.
	Put(ctx context.Context, address string, headers map[string]string, body []byte) error
}

var _ Callbacks = (*webhook.Client)(nil)

const (
	maxCallback   = 400 // characters of address and headers together
	firstRetry    = time.Second
	longestRetry  = 2 * time.Minute
	callbackLimit = 24 * time.Hour // of failures, then it is removed
)

// SetCallback has what comes for the caller sent to an address, once that has
// answered a test. It returns ErrCallback for one that has not, ErrOwnAddress
// for one that must not be reached, ErrOtherChannel, or an error of kind
// cloud.ErrInvalid, or of kind cloud.ErrUnauthorized if the caller's key became
// void during the test.
func (s *Service) SetCallback(ctx context.Context, who cloud.Principal, settings cloud.ChannelSettings) error {
	if err := checkCallback(settings); err != nil {
		return err
	}
	if kind := s.ChannelKind(who); kind != NoChannel && kind != Callback {
		return ErrOtherChannel
	}
	if err := s.callbacks.Put(ctx, settings.URL, settings.Headers, nil); err != nil {
		s.log.Info("a callback failed its test", "key", who.KeyID, "error", err)
		if errors.Is(err, webhook.ErrForbiddenAddress) {
			return ErrOwnAddress
		}
		return ErrCallback
	}
	if _, err := s.register(ctx, who, Callback, settings); err != nil {
		return err
	}
	for _, ch := range s.channels.undelivered() {
		s.begin(func(ctx context.Context) { s.deliverAll(ctx, ch) })
	}
	return nil
}

func checkCallback(settings cloud.ChannelSettings) error {
	address, err := url.Parse(settings.URL)
	if err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Host == "" {
		return cloud.RefuseField("url", "is not the address of an HTTP server")
	}
	size := len(settings.URL)
	for name, value := range settings.Headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return cloud.RefuseField("headers", "have a name or a value that is none in HTTP")
		}
		size += len(name) + len(value)
	}
	if size > maxCallback {
		return cloud.RefuseField("url", "and headers are longer than %d characters together", maxCallback)
	}
	return nil
}

// Callback is the caller's callback. It returns ErrNoChannel if there is none.
func (s *Service) Callback(who cloud.Principal) (cloud.ChannelSettings, error) {
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	ch := s.channels.byKey[who.KeyID]
	if ch == nil || ch.kind != Callback {
		return cloud.ChannelSettings{}, ErrNoChannel
	}
	return ch.settings, nil
}

// DeleteCallback deletes the caller's callback with all that waits for it. It
// returns ErrNoChannel if there is none.
func (s *Service) DeleteCallback(ctx context.Context, who cloud.Principal) error {
	return s.unregister(ctx, who, Callback)
}

// undelivered are the callbacks that nobody delivers to yet: the caller will.
func (c *channels) undelivered() []*channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	var idle []*channel
	for _, ch := range c.byKey {
		if ch.kind == Callback && !ch.delivering {
			ch.delivering = true
			idle = append(idle, ch)
		}
	}
	return idle
}

// deliverAll delivers what comes into a callback's channel, in order, while it
// lives.
func (s *Service) deliverAll(ctx context.Context, ch *channel) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a delivery under way ends with the channel
		select {
		case <-ch.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	for ctx.Err() == nil {
		if m := s.channels.take(ch); m != nil {
			s.deliver(ctx, ch, m)
			continue
		}
		select {
		case <-ch.wake:
		case <-ctx.Done():
		}
	}
}

// deliver sends one message until it has been taken. A callback that has
// failed for a day is removed.
func (s *Service) deliver(ctx context.Context, ch *channel, m *Message) {
	body, err := s.channels.write(ch, m)
	if err != nil { // cannot be: texts and numbers
		s.log.Error("cannot write a notification", "error", err)
		return
	}
	began := s.now()
	for pause := firstRetry; ; pause = min(2*pause, longestRetry) {
		s.channels.mu.Lock()
		settings := ch.settings
		s.channels.mu.Unlock()
		err := s.callbacks.Put(ctx, settings.URL, settings.Headers, body)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			s.channels.giveBack(ch, m)
			return
		}
		s.log.Debug("a callback does not take a notification", "key", ch.key, "error", err)
		if s.now().Sub(began) >= callbackLimit {
			s.log.Warn("a callback has failed for a day and is removed", "key", ch.key, "error", err)
			s.removeCallback(ch)
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			s.channels.giveBack(ch, m)
			return
		}
	}
}

func (s *Service) removeCallback(ch *channel) {
	if s.channels.drop(ch.key, ch, Callback) {
		s.forgetChannel(ch.key)
	}
}
