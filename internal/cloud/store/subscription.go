package store

import (
	"context"

	"mbl/internal/cloud"
)

// Subscriptions implements cloud.SubscriptionReader.
func (q *queries) Subscriptions(ctx context.Context) ([]cloud.Subscription, error) {
	return many(ctx, q, func(row scanner) (cloud.Subscription, error) {
		var s cloud.Subscription
		err := row.Scan(&s.AccountID, &s.KeyID, &s.DeviceID, &s.Path, instant{&s.CreatedAt})
		return s, err
	}, `SELECT k.account_id, s.key_id, s.device_id, s.path, s.created_at
		FROM subscriptions s JOIN api_keys k ON k.id = s.key_id`)
}

// SaveSubscription implements cloud.SubscriptionWriter.
func (q *queries) SaveSubscription(ctx context.Context, s cloud.Subscription) error {
	found, err := q.count(ctx, `SELECT COUNT(*) FROM api_keys k, devices d WHERE k.id = $1 AND d.id = $2`, s.KeyID, s.DeviceID)
	if err != nil {
		return err
	}
	if found == 0 {
		return cloud.ErrNotFound
	}
	_, err = q.exec(ctx, `INSERT INTO subscriptions (key_id, device_id, path, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (key_id, device_id, path) DO NOTHING`, s.KeyID, s.DeviceID, s.Path, at(s.CreatedAt))
	return err
}

// DeleteSubscription implements cloud.SubscriptionWriter.
func (q *queries) DeleteSubscription(ctx context.Context, s cloud.Subscription) error {
	_, err := q.exec(ctx, `DELETE FROM subscriptions WHERE key_id = $1 AND device_id = $2 AND path = $3`, s.KeyID, s.DeviceID, s.Path)
	return err
}

// DeleteDeviceSubscriptions implements cloud.SubscriptionWriter.
func (q *queries) DeleteDeviceSubscriptions(ctx context.Context, deviceID string) error {
	_, err := q.exec(ctx, `DELETE FROM subscriptions WHERE device_id = $1`, deviceID)
	return err
}

// Presubscriptions implements cloud.SubscriptionReader.
func (q *queries) Presubscriptions(ctx context.Context) ([]cloud.Presubscriptions, error) {
	return many(ctx, q, func(row scanner) (cloud.Presubscriptions, error) {
		var p cloud.Presubscriptions
		err := row.Scan(&p.AccountID, &p.KeyID, document{&p.Rules})
		return p, err
	}, `SELECT k.account_id, p.key_id, p.rules FROM presubscriptions p JOIN api_keys k ON k.id = p.key_id`)
}

// SavePresubscriptions implements cloud.SubscriptionWriter.
func (q *queries) SavePresubscriptions(ctx context.Context, p cloud.Presubscriptions) error {
	_, err := q.exec(ctx, `INSERT INTO presubscriptions (key_id, rules) VALUES ($1, $2)
		ON CONFLICT (key_id) DO UPDATE SET rules = excluded.rules`, p.KeyID, document{p.Rules})
	return err
}

// DeletePresubscriptions implements cloud.SubscriptionWriter.
func (q *queries) DeletePresubscriptions(ctx context.Context, keyID string) error {
	_, err := q.exec(ctx, `DELETE FROM presubscriptions WHERE key_id = $1`, keyID)
	return err
}
