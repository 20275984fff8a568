package cloud

import "context"

// SubscriptionReader reads what API keys subscribe to.
type SubscriptionReader interface {
	// Subscriptions are all of the service's, in no order.
	Subscriptions(ctx context.Context) ([]Subscription, error)
	// Presubscriptions are all of the service's, in no order.
	Presubscriptions(ctx context.Context) ([]Presubscriptions, error)
}

// SubscriptionWriter writes what API keys subscribe to. What does not exist is
// deleted without an error. All of it is deleted with its API key, and
// subscriptions with their device too.
type SubscriptionWriter interface {
	// SaveSubscription keeps one that exists as it is. It returns ErrNotFound
	// if the key or the device does not exist.
	SaveSubscription(ctx context.Context, subscription Subscription) error
	DeleteSubscription(ctx context.Context, subscription Subscription) error
	// DeleteDeviceSubscriptions deletes every key's.
	DeleteDeviceSubscriptions(ctx context.Context, deviceID string) error
	// SavePresubscriptions takes the place of the key's earlier rules.
	SavePresubscriptions(ctx context.Context, rules Presubscriptions) error
	DeletePresubscriptions(ctx context.Context, keyID string) error
}

// ChannelReader reads notification channels.
type ChannelReader interface {
	// ChannelRecords are all of the service's, in no order.
	ChannelRecords(ctx context.Context) ([]ChannelRecord, error)
	// BacklogRecords are all of the service's, in no order.
	BacklogRecords(ctx context.Context) ([]BacklogRecord, error)
}

// ChannelWriter writes notification channels and backlogs, one a key, with which
// they are deleted.
type ChannelWriter interface {
	SaveChannelRecord(ctx context.Context, channel ChannelRecord) error
	DeleteChannelRecord(ctx context.Context, keyID string) error
	// SaveBacklogRecord does nothing for a key that does not exist.
	SaveBacklogRecord(ctx context.Context, backlog BacklogRecord) error
	// DeleteBacklogRecords deletes all of the service's.
	DeleteBacklogRecords(ctx context.Context) error
}
