package connect

import (
	"context"
	"fmt"

	"mbl/internal/cloud"
)

// Memory keeps what must outlive a restart. It is a cloud.Service.
type Memory interface {
	Subscriptions(ctx context.Context) ([]cloud.Subscription, error)
	// SaveSubscription returns cloud.ErrNotFound for a device that has just
	// been deleted.
	SaveSubscription(ctx context.Context, subscription cloud.Subscription) error
	DeleteSubscriptions(ctx context.Context, subscriptions []cloud.Subscription) error
	Presubscriptions(ctx context.Context) ([]cloud.Presubscriptions, error)
	// SavePresubscriptions without rules deletes the key's earlier ones.
	SavePresubscriptions(ctx context.Context, rules cloud.Presubscriptions) error
	// Channels are those that were saved.
	Channels(ctx context.Context) ([]cloud.Channel, error)
	// SaveChannel returns cloud.ErrUnauthorized if the caller's key has become
	// void meanwhile.
	SaveChannel(ctx context.Context, who cloud.Principal, kind cloud.ChannelKind, settings cloud.ChannelSettings) error
	DeleteChannel(ctx context.Context, keyID string) error
	SaveBacklogs(ctx context.Context, backlogs []cloud.Backlog) error
	TakeBacklogs(ctx context.Context) ([]cloud.Backlog, error)
	// DeviceRegistration returns cloud.ErrNotFound for a device that is not registered.
	DeviceRegistration(ctx context.Context, deviceID string) (*cloud.RegistrationRecord, error)
}

var _ Memory = (*cloud.Service)(nil)

// Load takes up what an earlier run has kept. Call it before Run, and before
// the first device can connect.
func (s *Service) Load(ctx context.Context) error {
	subscriptions, err := s.memory.Subscriptions(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the subscriptions: %w", err)
	}
	rules, err := s.memory.Presubscriptions(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the pre-subscriptions: %w", err)
	}
	if err := s.loadChannels(ctx); err != nil {
		return fmt.Errorf("cannot read the notification channels: %w", err)
	}
	if err := s.loadBacklogs(ctx); err != nil {
		return fmt.Errorf("cannot read what waits for API keys: %w", err)
	}
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	for _, each := range subscriptions {
		s.interests.add(each.KeyID, each.DeviceID, each.Path)
	}
	for _, each := range rules {
		s.interests.rules[each.KeyID] = each
	}
	return nil
}
