package store

import (
	"context"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
)

const auditColumns = `id, account_id, key_id, key_name, remote_address, action, object_id, at`

var auditRecords = listing[*cloud.AuditRecord]{
	table:   "audit_records",
	columns: auditColumns,
	fields:  map[string]string{"id": "id"},
	scan:    scanAuditRecord,
}

func scanAuditRecord(row scanner) (*cloud.AuditRecord, error) {
	var r cloud.AuditRecord
	return &r, row.Scan(&r.ID, &r.AccountID, &r.KeyID, &r.KeyName, &r.RemoteAddr, &r.Action, &r.ObjectID, instant{&r.At})
}

// AuditRecords implements cloud.AuditReader.
func (q *queries) AuditRecords(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.AuditRecord], error) {
	return list(ctx, q, auditRecords, accountID, query)
}

// InsertAuditRecord implements cloud.AuditWriter.
func (q *queries) InsertAuditRecord(ctx context.Context, r *cloud.AuditRecord) error {
	_, err := q.exec(ctx, `INSERT INTO audit_records (`+auditColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		r.ID, r.AccountID, r.KeyID, r.KeyName, r.RemoteAddr, r.Action, r.ObjectID, at(r.At))
	return err
}

// DeleteAuditRecords implements cloud.AuditWriter. Ids hold the time.
func (q *queries) DeleteAuditRecords(ctx context.Context, before time.Time, keep int) (int, error) {
	old, err := q.exec(ctx, `DELETE FROM audit_records WHERE id < $1`, objectid.First(before))
	if err != nil {
		return 0, err
	}
	many, err := q.exec(ctx, `DELETE FROM audit_records WHERE id <=
		(SELECT id FROM audit_records ORDER BY id DESC LIMIT 1 OFFSET $1)`, int64(keep))
	return old + many, err
}
