package store

import (
	"context"
	"time"
)

// SaveProof implements cloud.HealthWriter.
func (q *queries) SaveProof(ctx context.Context, when time.Time) error {
	_, err := q.exec(ctx, `INSERT INTO write_proofs (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at`, at(when))
	return err
}
