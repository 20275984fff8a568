package store

import (
	"context"

	"mbl/internal/cloud"
)

// ChannelRecords implements cloud.ChannelReader.
func (q *queries) ChannelRecords(ctx context.Context) ([]cloud.ChannelRecord, error) {
	return many(ctx, q, func(row scanner) (cloud.ChannelRecord, error) {
		var c cloud.ChannelRecord
		err := row.Scan(&c.AccountID, &c.KeyID, &c.Kind, &c.Sealed, instant{&c.ChangedAt})
		return c, err
	}, `SELECT k.account_id, c.key_id, c.kind, c.sealed_settings, c.changed_at
		FROM notification_channels c JOIN api_keys k ON k.id = c.key_id`)
}

// SaveChannelRecord implements cloud.ChannelWriter.
func (q *queries) SaveChannelRecord(ctx context.Context, c cloud.ChannelRecord) error {
	_, err := q.exec(ctx, `INSERT INTO notification_channels (key_id, kind, sealed_settings, changed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (key_id) DO UPDATE SET kind = excluded.kind, sealed_settings = excluded.sealed_settings,
		changed_at = excluded.changed_at`, c.KeyID, string(c.Kind), c.Sealed, at(c.ChangedAt))
	return err
}

// DeleteChannelRecord implements cloud.ChannelWriter.
func (q *queries) DeleteChannelRecord(ctx context.Context, keyID string) error {
	_, err := q.exec(ctx, `DELETE FROM notification_channels WHERE key_id = $1`, keyID)
	return err
}

// BacklogRecords implements cloud.ChannelReader.
func (q *queries) BacklogRecords(ctx context.Context) ([]cloud.BacklogRecord, error) {
	return many(ctx, q, func(row scanner) (cloud.BacklogRecord, error) {
		var b cloud.BacklogRecord
		err := row.Scan(&b.AccountID, &b.KeyID, &b.Sealed, instant{&b.SavedAt})
		return b, err
	}, `SELECT k.account_id, b.key_id, b.sealed_body, b.saved_at FROM backlogs b JOIN api_keys k ON k.id = b.key_id`)
}

// SaveBacklogRecord implements cloud.ChannelWriter.
func (q *queries) SaveBacklogRecord(ctx context.Context, b cloud.BacklogRecord) error {
	_, err := q.exec(ctx, `INSERT INTO backlogs (key_id, sealed_body, saved_at) SELECT id, $2, $3 FROM api_keys WHERE id = $1`,
		b.KeyID, b.Sealed, at(b.SavedAt))
	return err
}

// DeleteBacklogRecords implements cloud.ChannelWriter.
func (q *queries) DeleteBacklogRecords(ctx context.Context) error {
	_, err := q.exec(ctx, `DELETE FROM backlogs`)
	return err
}
