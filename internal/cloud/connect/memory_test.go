package connect_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"mbl/internal/cloud"
)

// memory is what outlives a restart of the Service under test.
type memory struct {
	mu            sync.Mutex
	subscriptions []cloud.Subscription
	rules         []cloud.Presubscriptions
	channels      []cloud.Channel
	record        *cloud.RegistrationRecord
	saving        error // what SaveChannel returns
	backlogs      []cloud.Backlog
}

func (m *memory) SaveBacklogs(_ context.Context, backlogs []cloud.Backlog) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.backlogs = nil
	for _, each := range backlogs {
		each.AccountID, each.SavedAt = "account", time.Now()
		m.backlogs = append(m.backlogs, each)
	}
	return nil
}

func (m *memory) TakeBacklogs(context.Context) ([]cloud.Backlog, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.backlogs
	m.backlogs = nil
	return taken, nil
}

func (m *memory) Channels(context.Context) ([]cloud.Channel, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.channels), nil
}

// count is the number of channels.
func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.channels)
}

func (m *memory) SaveChannel(ctx context.Context, who cloud.Principal, kind cloud.ChannelKind, settings cloud.ChannelSettings) error {
	if m.saving != nil {
		return m.saving
	}
	channel := cloud.Channel{AccountID: who.AccountID, KeyID: who.KeyID, Kind: kind, Settings: settings}
	if err := m.DeleteChannel(ctx, channel.KeyID); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.channels = append(m.channels, channel)
	return nil
}

func (m *memory) DeleteChannel(_ context.Context, keyID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.channels = slices.DeleteFunc(m.channels, func(c cloud.Channel) bool { return c.KeyID == keyID })
	return nil
}

func (m *memory) DeviceRegistration(context.Context, string) (*cloud.RegistrationRecord, error) {
	return m.record, nil
}

func (m *memory) Subscriptions(context.Context) ([]cloud.Subscription, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.subscriptions), nil
}

func (m *memory) SaveSubscription(_ context.Context, s cloud.Subscription) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscriptions = append(m.subscriptions, s)
	return nil
}

func (m *memory) DeleteSubscriptions(_ context.Context, ended []cloud.Subscription) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscriptions = slices.DeleteFunc(m.subscriptions, func(s cloud.Subscription) bool { return slices.Contains(ended, s) })
	return nil
}

func (m *memory) Presubscriptions(context.Context) ([]cloud.Presubscriptions, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rules), nil
}

func (m *memory) SavePresubscriptions(_ context.Context, rules cloud.Presubscriptions) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rules = slices.DeleteFunc(m.rules, func(r cloud.Presubscriptions) bool { return r.KeyID == rules.KeyID })
	if len(rules.Rules) > 0 {
		m.rules = append(m.rules, rules)
	}
	return nil
}
