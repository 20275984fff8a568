package storetest

import (
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/objectid"
)

// auditRecord is a record of a time; its id holds the time as all ids do.
func auditRecord(at time.Time) *cloud.AuditRecord {
	return &cloud.AuditRecord{
		ID: objectid.First(at), AccountID: id("a1"), KeyID: id("e1"), KeyName: "key", RemoteAddr: "192.0.2.1:5",
		Action: "PUT /v3/devices/{id}", ObjectID: id("d1"), At: at.Truncate(time.Microsecond),
	}
}

func auditIsKept(t *testing.T, f *fixture) {
	var wanted []*cloud.AuditRecord
	f.change(t, func(w cloud.Writer) error {
		for day := range 5 {
			record := auditRecord(noon.AddDate(0, 0, day))
			wanted = append(wanted, record)
			if err := w.InsertAuditRecord(f.ctx, record); err != nil {
				return err
			}
		}
		return nil
	})
	read := func(conditions ...cloud.Condition) []*cloud.AuditRecord {
		page, err := f.AuditRecords(f.ctx, id("a1"), cloud.Query{Limit: 10, Conditions: conditions})
		if err != nil {
			t.Fatal(err)
		}
		return page.Items
	}
	same(t, wanted)(read(), nil)
	since := cloud.Condition{Field: "id", Operator: cloud.GreaterEqual, Values: []any{objectid.First(noon.AddDate(0, 0, 3))}}
	same(t, wanted[3:])(read(since), nil)
	for _, forget := range []struct {
		before      time.Time
		keep, count int
	}{{noon, 5, 0}, {noon.AddDate(0, 0, 1), 5, 1}, {noon, 3, 1}, {noon, 3, 0}} {
		f.change(t, func(w cloud.Writer) error {
			count, err := w.DeleteAuditRecords(f.ctx, forget.before, forget.keep)
			if count != forget.count {
				t.Errorf("%d records were forgotten as before %v or more than %d", count, forget.before, forget.keep)
			}
			return err
		})
	}
	same(t, wanted[2:])(read(), nil)
}
