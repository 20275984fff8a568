package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func names(devices []*cloud.Device) string {
	var all []string
	for _, device := range devices {
		all = append(all, device.Name)
	}
	return strings.Join(all, " ")
}

func listIsPaged(t *testing.T, f *fixture) {
	f.insertDevices(t, device("a1", "d1"), device("a1", "d2"), device("a1", "d3"), device("a1", "d4"), device("a1", "d5"))
	for _, descending := range []bool{false, true} {
		query := cloud.Query{Limit: 2, Descending: descending}
		var pages []string
		for {
			page, err := f.Devices(f.ctx, id("a1"), query)
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, names(page.Items))
			if page.Total != 5 {
				t.Errorf("the total is %d", page.Total)
			}
			if !page.HasMore {
				break
			}
			query.After = page.Items[len(page.Items)-1].ID
		}
		wanted := []string{"d1 d2", "d3 d4", "d5"}
		if descending {
			wanted = []string{"d5 d4", "d3 d2", "d1"}
		}
		if !slices.Equal(pages, wanted) {
			t.Errorf("pages are %q", pages)
		}
	}
}

func eventsEnd(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error { return w.InsertEvent(f.ctx, event("a1", "f1")) })
	for _, forget := range []struct {
		before time.Time
		count  int
	}{{noon, 0}, {noon.Add(time.Second), 1}, {noon.Add(time.Hour), 0}} {
		f.change(t, func(w cloud.Writer) error {
			count, err := w.DeleteEvents(f.ctx, forget.before)
			if count != forget.count {
				t.Errorf("%d events were deleted as older than %v", count, forget.before)
			}
			return err
		})
	}
	if _, err := f.Event(f.ctx, id("f1")); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("the event is still there: %v", err)
	}
}

func listIsOfAccount(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error { return w.InsertAccount(f.ctx, account("a2")) })
	f.insertDevices(t, device("a1", "d1"), device("a2", "d2"))
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(
			w.InsertEvent(f.ctx, event("a1", "f1")), w.InsertEvent(f.ctx, event("a2", "f2")),
			w.InsertAPIKey(f.ctx, apiKey("a1", "e1")), w.InsertAPIKey(f.ctx, apiKey("a2", "e2")),
		)
	})
	query := cloud.Query{Limit: 10}
	devices, err := f.Devices(f.ctx, id("a2"), query)
	events, eventsErr := f.Events(f.ctx, id("a2"), query)
	keys, keysErr := f.APIKeys(f.ctx, id("a2"), query)
	if err := errors.Join(err, eventsErr, keysErr); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(devices.Total, len(devices.Items), events.Total, len(events.Items), keys.Total, len(keys.Items))
	if got != "1 1 1 1 1 1" || devices.Items[0].ID != id("d2") {
		t.Errorf("lists of the second account: %s", got)
	}
}

func conditionsChooseDevices(t *testing.T, f *fixture) {
	first, second, third := device("a1", "d1"), device("a1", "d2"), device("a1", "d3")
	first.State = cloud.StateRegistered
	first.CustomAttributes = map[string]string{"room": "12", "a.b": "x", `späße`: "ja"}
	second.CustomAttributes = map[string]string{"room": "13"}
	second.CreatedAt = noon.Add(time.Second)
	third.BootstrappedAt = time.Time{}
	f.insertDevices(t, first, second, third)
	for _, test := range []struct {
		wanted    string
		condition cloud.Condition
	}{
		{"d1", cloud.Condition{Field: "state", Operator: cloud.Equal, Values: []any{"registered"}}},
		{"d2 d3", cloud.Condition{Field: "state", Operator: cloud.NotEqual, Values: []any{"registered"}}},
		{"d1 d3", cloud.Condition{Field: "name", Operator: cloud.In, Values: []any{"d1", "d3", "d7"}}},
		{"d2", cloud.Condition{Field: "id", Operator: cloud.NotIn, Values: []any{id("d1"), id("d3")}}},
		{"d1 d3", cloud.Condition{Field: "created_at", Operator: cloud.LessEqual, Values: []any{noon}}},
		{"d2", cloud.Condition{Field: "created_at", Operator: cloud.GreaterEqual, Values: []any{noon.Add(time.Microsecond)}}},
		{"d1 d2 d3", cloud.Condition{Field: "device_execution_mode", Operator: cloud.Equal, Values: []any{int64(1)}}},
		{"", cloud.Condition{Field: "device_execution_mode", Operator: cloud.In, Values: []any{int64(0), int64(5)}}},
		{"d1 d2", cloud.Condition{Field: "bootstrapped_timestamp", Operator: cloud.In, Values: []any{noon}}},
		{"d3", cloud.Condition{Field: "bootstrapped_timestamp", Operator: cloud.NotIn, Values: []any{noon}}},
		{"d1 d2", cloud.Condition{Field: "bootstrapped_timestamp", Operator: cloud.LessEqual, Values: []any{noon}}},
		{"d1", cloud.Condition{Field: "custom_attributes", Key: "room", Operator: cloud.Equal, Values: []any{"12"}}},
		{"d2 d3", cloud.Condition{Field: "custom_attributes", Key: "room", Operator: cloud.NotEqual, Values: []any{"12"}}},
		{"d1", cloud.Condition{Field: "custom_attributes", Key: "a.b", Operator: cloud.Equal, Values: []any{"x"}}},
		{"d1", cloud.Condition{Field: "custom_attributes", Key: "späße", Operator: cloud.Equal, Values: []any{"ja"}}},
		{"", cloud.Condition{Field: "custom_attributes", Key: "a", Operator: cloud.Equal, Values: []any{"x"}}},
		{"", cloud.Condition{Field: "auto_update", Operator: cloud.Equal, Values: []any{false}}},
		{"d1 d2 d3", cloud.Condition{Field: "auto_update", Operator: cloud.In, Values: []any{true}}},
		{"d1 d2 d3", cloud.Condition{Field: "mechanism", Operator: cloud.Equal, Values: []any{"connector"}}},
		{"", cloud.Condition{Field: "manifest_timestamp", Operator: cloud.GreaterEqual, Values: []any{noon}}},
		{"", cloud.Condition{Field: "name", Operator: cloud.Equal, Values: []any{"' OR '1'='1"}}},
	} {
		page, err := f.Devices(f.ctx, id("a1"), cloud.Query{Limit: 10, Conditions: []cloud.Condition{test.condition}})
		if err != nil {
			t.Errorf("%+v: %v", test.condition, err)
		} else if got := names(page.Items); got != test.wanted || page.Total != len(page.Items) {
			t.Errorf("%+v chooses %q of %d", test.condition, got, page.Total)
		}
	}
	for field := range cloud.DeviceFields() {
		f.mustKnow(t, field)
	}
}

// mustKnow fails the test if a device field of the brain cannot be filtered.
func (f *fixture) mustKnow(t *testing.T, field string) {
	t.Helper()
	condition := cloud.Condition{Field: field, Operator: cloud.In, Values: []any{"x"}}
	if field == "custom_attributes" {
		condition.Key = "x"
	}
	if _, err := f.Devices(f.ctx, id("a1"), cloud.Query{Limit: 2, Conditions: []cloud.Condition{condition}}); err != nil {
		t.Errorf("field %s: %v", field, err)
	}
}

func conditionsChooseCertificates(t *testing.T, f *fixture) {
	first, second := certificate("a1", "c1"), certificate("a1", "c2")
	second.Active, second.NotAfter, second.Subject = false, noon, `CN=under_score\,O=Ärzte`
	second.DeveloperCertificateID, second.EndpointName = id("c1"), "own"
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertCertificate(f.ctx, first), w.InsertCertificate(f.ctx, second))
	})
	for _, test := range []struct {
		wanted    string
		condition cloud.Condition
	}{
		{"c1", cloud.Condition{Field: "status", Operator: cloud.Equal, Values: []any{"ACTIVE"}}},
		{"c2", cloud.Condition{Field: "status", Operator: cloud.Equal, Values: []any{"INACTIVE"}}},
		{"c1", cloud.Condition{Field: "subject", Operator: cloud.Like, Values: []any{"cn=100% C"}}},
		{"", cloud.Condition{Field: "subject", Operator: cloud.Like, Values: []any{"cn%c"}}},
		{"c2", cloud.Condition{Field: "subject", Operator: cloud.Like, Values: []any{`R_S`}}},
		{"c2", cloud.Condition{Field: "subject", Operator: cloud.Like, Values: []any{`score\`}}},
		{"c2", cloud.Condition{Field: "subject", Operator: cloud.Like, Values: []any{"o=Ärzt"}}},
		{"c2", cloud.Condition{Field: "subject", Operator: cloud.Like, Values: []any{"ÄRZTE"}}},
		{"c2", cloud.Condition{Field: "subject", Operator: cloud.Like, Values: []any{"ärzte"}}},
		{"c1 c2", cloud.Condition{Field: "issuer", Operator: cloud.Like, Values: []any{"ISSUER"}}},
		{"c1 c2", cloud.Condition{Field: "enrollment_mode", Operator: cloud.Equal, Values: []any{false}}},
		{"", cloud.Condition{Field: "enrollment_mode", Operator: cloud.Equal, Values: []any{true}}},
		{"c2", cloud.Condition{Field: "validity", Operator: cloud.LessEqual, Values: []any{noon}}},
		{"c2", cloud.Condition{Field: "developer_certificate_id", Operator: cloud.Equal, Values: []any{id("c1")}}},
		{"c2", cloud.Condition{Field: "developer_certificate_id", Operator: cloud.NotEqual, Values: []any{""}}},
		{"c2", cloud.Condition{Field: "endpoint_name", Operator: cloud.Equal, Values: []any{"own"}}},
	} {
		page, err := f.Certificates(f.ctx, id("a1"), cloud.Query{Limit: 10, Conditions: []cloud.Condition{test.condition}})
		var got []string
		for _, item := range page.Items {
			got = append(got, item.Name)
		}
		if err != nil || strings.Join(got, " ") != test.wanted {
			t.Errorf("%+v chooses %q, %v", test.condition, got, err)
		}
	}
	if count, err := f.CountCertificates(f.ctx, id("a1")); count != 1 || err != nil {
		t.Errorf("%d certificates are not one device's own, %v", count, err)
	}
}

func conditionsChooseAPIKeys(t *testing.T, f *fixture) {
	first, second := apiKey("a1", "e1"), apiKey("a1", "e2")
	second.Groups, second.Active, second.Owner = []string{id("dd")}, false, id("b1")
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertAPIKey(f.ctx, first), w.InsertAPIKey(f.ctx, second))
	})
	for _, test := range []struct {
		wanted    string
		condition cloud.Condition
	}{
		{"key e1", cloud.Condition{Field: "groups", Operator: cloud.Like, Values: []any{id("aa")}}},
		{"key e1 key e2", cloud.Condition{Field: "groups", Operator: cloud.Like, Values: []any{id("dd")}}},
		{"key e1", cloud.Condition{Field: "status", Operator: cloud.Equal, Values: []any{"ACTIVE"}}},
		{"key e2", cloud.Condition{Field: "status", Operator: cloud.Equal, Values: []any{"INACTIVE"}}},
		{"key e2", cloud.Condition{Field: "owner", Operator: cloud.Equal, Values: []any{id("b1")}}},
		{"key e2", cloud.Condition{Field: "id", Operator: cloud.NotEqual, Values: []any{id("e1")}}},
	} {
		page, err := f.APIKeys(f.ctx, id("a1"), cloud.Query{Limit: 10, Conditions: []cloud.Condition{test.condition}})
		var got []string
		for _, item := range page.Items {
			got = append(got, item.Name)
		}
		if err != nil || strings.Join(got, " ") != test.wanted {
			t.Errorf("%+v chooses %q, %v", test.condition, got, err)
		}
	}
}

func unknownFieldFails(t *testing.T, f *fixture) {
	condition := cloud.Condition{Field: "digest", Operator: cloud.Equal, Values: []any{"x"}}
	if _, err := f.APIKeys(f.ctx, id("a1"), cloud.Query{Limit: 2, Conditions: []cloud.Condition{condition}}); err == nil {
		t.Error("API keys can be chosen by their digest")
	}
}
