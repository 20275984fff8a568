package store

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// TestListsFindTheirRowsByAnIndex asks the engine how it would answer the
// lists that people ask for. With a hundred thousand devices, going through all
// of them for a page shows; no test of time is needed to know it.
func TestListsFindTheirRowsByAnIndex(t *testing.T) {
	opened, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	equal := func(fields ...string) []cloud.Condition {
		var conditions []cloud.Condition
		for _, field := range fields {
			conditions = append(conditions, cloud.Condition{Field: field, Operator: cloud.Equal, Values: []any{"x"}})
		}
		return conditions
	}
	since := func(field string) []cloud.Condition {
		return []cloud.Condition{{Field: field, Operator: cloud.GreaterEqual, Values: []any{time.Now()}}}
	}
	attribute := []cloud.Condition{{Field: "custom_attributes", Key: "room", Operator: cloud.Equal, Values: []any{"1"}}}
	for _, test := range []struct {
		list       planned
		conditions []cloud.Condition
		page       string // what the page must be found by
		count      string // what the number of all must be found by
	}{
		{devices, nil, "devices_of_account (account_id=? AND id>?)", "device_counts"},
		{devices, equal("state"), "devices_by_state (account_id=? AND state=? AND id>?)", "device_counts"},
		{devices, equal("id"), "id=?", "id=?"},
		{devices, equal("name"), "devices_by_name (account_id=? AND name=? AND id>?)", "COVERING INDEX devices_by_name"},
		{devices, equal("endpoint_name"), "devices_by_endpoint (account_id=? AND endpoint_name=? AND id>?)", "COVERING INDEX devices_by_endpoint"},
		{devices, equal("ca_id"), "devices_by_certificate (account_id=? AND certificate_id=? AND id>?)", "COVERING INDEX devices_by_certificate"},
		{devices, equal("device_key"), "devices_by_key (account_id=? AND device_key=? AND id>?)", "COVERING INDEX devices_by_key"},
		{devices, equal("serial_number"), "devices_by_serial_number (account_id=? AND serial_number=? AND id>?)", "COVERING INDEX devices_by_serial_number"},
		{devices, equal("device_class", "vendor_id"), "devices_by_class (account_id=? AND device_class=? AND id>?)", "INDEX devices_by_class"},
		{devices, equal("device_class"), "devices_by_class (account_id=? AND device_class=? AND id>?)", "COVERING INDEX devices_by_class"},
		{devices, since("created_at"), "devices_of_account (account_id=? AND id>?)", "COVERING INDEX devices_of_account"},
		{devices, attribute, "device_attributes_1 (name=? AND value=?)", "device_attributes_1 (name=? AND value=?)"},
		{devicesOfGroup, attribute, "device_attributes_1 (name=? AND value=?)", "device_attributes_1 (name=? AND value=?)"},
		{devicesOfGroup, nil, "(group_id=? AND device_id>?)", "device_groups"},
		{devicesOfGroup, equal("state"), "(group_id=? AND device_id>?)", "(group_id=?)"},
		{events, nil, "device_events_of_account (account_id=? AND id>?)", "event_counts"},
		{events, equal("event_type"), "device_events_of_account (account_id=? AND id>?)", "event_counts"},
		{events, equal("device_id"), "device_events_of_device (account_id=? AND device_id=? AND id>?)", "COVERING INDEX device_events_of_device"},
		{events, append(since("id"), since("date_time")...), "device_events_of_account (account_id=? AND id>?)", "device_events_of_account (account_id=? AND id>?)"},
		{deviceGroups, equal("name"), "(account_id=? AND name=?)", "(account_id=? AND name=?)"},
	} {
		query := cloud.Query{Limit: 50, Conditions: test.conditions, After: "0"}
		for what, wanted := range map[string]string{"page": test.page, "count": test.count} {
			statement, err := test.list.pageStatement("a", query)
			if what == "count" {
				statement, err = test.list.countStatement("a", query)
			}
			if err != nil {
				t.Fatal(err)
			}
			plan := opened.plan(t, statement)
			if !strings.Contains(plan, wanted) || strings.Contains(plan, "SCAN") {
				t.Errorf("the %s of %+v is not found by %q:\n%s\n%s", what, test.conditions, wanted, statement.text, plan)
			}
		}
	}
}

// planned is a listing of anything.
type planned interface {
	pageStatement(owner string, query cloud.Query) (*clause, error)
	countStatement(owner string, query cloud.Query) (*clause, error)
}

func (s *Store) plan(t *testing.T, statement *clause) string {
	t.Helper()
	scan := func(row scanner) (string, error) {
		var id, parent, unused int
		var detail string
		return detail, row.Scan(&id, &parent, &unused, &detail)
	}
	steps, err := many(context.Background(), &s.queries, scan, "EXPLAIN QUERY PLAN "+statement.text, statement.args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "\n")
}
