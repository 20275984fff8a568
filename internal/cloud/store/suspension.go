package store

import (
	"context"

	"mbl/internal/cloud"
)

// SaveSuspension implements cloud.SuspensionWriter.
func (q *queries) SaveSuspension(ctx context.Context, deviceID string, s cloud.Suspension) error {
	return q.execOne(ctx, `UPDATE devices SET suspended = $2, suspension_category = $3, suspension_description = $4,
		suspension_changed_at = $5 WHERE id = $1`, deviceID, s.Active, s.Category, s.Description, at(s.ChangedAt))
}
