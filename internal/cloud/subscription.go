package cloud

import (
	"context"
	"time"
)

// Subscription is the wish of one API key to hear of one path of one device,
// until that registers anew.
type Subscription struct {
	AccountID string // of the key; only read
	KeyID     string
	DeviceID  string
	Path      string // such as /3/0/13
	CreatedAt time.Time
}

// Presubscriptions are the rules by which one API key subscribes to devices as
// they register.
type Presubscriptions struct {
	AccountID string // of the key; only read
	KeyID     string
	Rules     []Presubscription
}

// Presubscription is one rule. What is empty does not restrict it.
type Presubscription struct {
	EndpointName string   `json:"endpoint-name,omitempty"` // id or name of a device; may end in *
	EndpointType string   `json:"endpoint-type,omitempty"`
	Paths        []string `json:"resource-path,omitempty"` // each may end in *
}

// Subscriptions are those of all API keys.
func (s *Service) Subscriptions(ctx context.Context) ([]Subscription, error) {
	return s.store.Subscriptions(ctx)
}

// SaveSubscription keeps a subscription over a restart.
func (s *Service) SaveSubscription(ctx context.Context, subscription Subscription) error {
	subscription.CreatedAt = s.now()
	return s.store.Update(ctx, func(w Writer) error { return w.SaveSubscription(ctx, subscription) })
}

// DeleteSubscriptions forgets subscriptions.
func (s *Service) DeleteSubscriptions(ctx context.Context, subscriptions []Subscription) error {
	return s.store.Update(ctx, func(w Writer) error {
		for _, subscription := range subscriptions {
			if err := w.DeleteSubscription(ctx, subscription); err != nil {
				return err
			}
		}
		return nil
	})
}

// Presubscriptions are those of all API keys.
func (s *Service) Presubscriptions(ctx context.Context) ([]Presubscriptions, error) {
	return s.store.Presubscriptions(ctx)
}

// SavePresubscriptions puts rules in place of the key's earlier ones; none
// deletes those.
func (s *Service) SavePresubscriptions(ctx context.Context, rules Presubscriptions) error {
	return s.store.Update(ctx, func(w Writer) error {
		if len(rules.Rules) == 0 {
			return w.DeletePresubscriptions(ctx, rules.KeyID)
		}
		return w.SavePresubscriptions(ctx, rules)
	})
}
