package connect

import (
	"context"

	"mbl/internal/cloud"
)

// ChannelKind is the kind of the caller's channel.
func (s *Service) ChannelKind(who cloud.Principal) ChannelKind {
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	if ch := s.channels.byKey[who.KeyID]; ch != nil {
		return ch.kind
	}
	return NoChannel
}

// registeredKinds are the kinds that outlive a restart.
func registeredKinds() map[ChannelKind]cloud.ChannelKind {
	return map[ChannelKind]cloud.ChannelKind{Callback: cloud.CallbackChannel, Websocket: cloud.WebsocketChannel}
}

// register makes the caller's channel one of a kind that outlives a restart,
// or gives it other settings, and tells whether it is new.
func (s *Service) register(ctx context.Context, who cloud.Principal, kind ChannelKind, settings cloud.ChannelSettings) (created bool, err error) {
	format, err := parseSerialization(settings.Serialization)
	if err != nil {
		return false, err
	}
	s.channels.mu.Lock()
	before := *s.channels.open(who.KeyID, who.AccountID)
	ch, err := s.channels.claim(who, kind)
	if err != nil {
		s.channels.mu.Unlock()
		return false, err
	}
	ch.settings, ch.format = settings, format
	s.channels.mu.Unlock()
	// In this order the change that voids a key meanwhile either finds the
	// channel (KeyChanged) or has it refused here.
	err = s.memory.SaveChannel(ctx, who, registeredKinds()[kind], settings)
	if err != nil {
		s.channels.mu.Lock()
		defer s.channels.mu.Unlock()
		ch.kind, ch.settings, ch.format = before.kind, before.settings, before.format
		return false, err
	}
	return before.kind != kind, nil
}

// unregister deletes the caller's channel of a kind.
func (s *Service) unregister(ctx context.Context, who cloud.Principal, kind ChannelKind) error {
	if s.ChannelKind(who) != kind {
		return ErrNoChannel
	}
	if err := s.memory.DeleteChannel(ctx, who.KeyID); err != nil {
		return err
	}
	s.channels.drop(who.KeyID, nil, kind)
	return nil
}

// forgetChannel deletes a channel that is gone from what outlives a restart.
func (s *Service) forgetChannel(keyID string) {
	if err := s.memory.DeleteChannel(context.Background(), keyID); err != nil {
		s.log.Error("cannot forget a notification channel", "key", keyID, "error", err)
	}
}

// loadChannels takes up the registered channels.
func (s *Service) loadChannels(ctx context.Context) error {
	kept, err := s.memory.Channels(ctx)
	if err != nil {
		return err
	}
	s.channels.mu.Lock()
	defer s.channels.mu.Unlock()
	for _, each := range kept {
		ch := s.channels.open(each.KeyID, each.AccountID)
		ch.settings = each.Settings
		if format, err := parseSerialization(each.Settings.Serialization); err == nil {
			ch.format = format
		}
		for kind, name := range registeredKinds() {
			if name == each.Kind {
				ch.kind = kind
			}
		}
	}
	return nil
}
