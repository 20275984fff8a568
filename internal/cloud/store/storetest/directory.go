package storetest

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func groupsHaveMembers(t *testing.T, f *fixture) {
	f.insertDevices(t, device("a1", "d1"), device("a1", "d2"))
	first, second := deviceGroup("a1", "b1"), deviceGroup("a1", "b2")
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertDeviceGroup(f.ctx, first), w.InsertDeviceGroup(f.ctx, second))
	})
	same(t, first)(f.DeviceGroup(f.ctx, first.ID))
	f.move(t, true, cloud.Writer.AddToDeviceGroup, "b1", "d1")
	f.move(t, false, cloud.Writer.AddToDeviceGroup, "b1", "d1")
	f.move(t, true, cloud.Writer.AddToDeviceGroup, "b1", "d2")
	f.move(t, true, cloud.Writer.AddToDeviceGroup, "b2", "d1")
	f.mustCount(t, "b1", 2)
	entry := device("a1", "d1")
	entry.Groups = []string{id("b1"), id("b2")}
	same(t, entry)(f.Device(f.ctx, id("d1")))
	page, err := f.Devices(f.ctx, id("a1"), cloud.Query{Limit: 2})
	if err != nil || strings.Join(page.Items[0].Groups, " ") != id("b1")+" "+id("b2") {
		t.Errorf("the list has the groups %v, %v", page.Items, err)
	}
	f.move(t, true, cloud.Writer.RemoveFromDeviceGroup, "b2", "d1")
	f.move(t, false, cloud.Writer.RemoveFromDeviceGroup, "b2", "d1")
	f.mustCount(t, "b2", 0)

	f.change(t, func(w cloud.Writer) error { return w.DeleteDevice(f.ctx, id("d1")) })
	f.mustCount(t, "b1", 1)

	first.Name, first.Description, first.CustomAttributes = "new", "", map[string]string{}
	first.UpdatedAt, first.Devices = noon.Add(2*time.Hour), 1
	f.change(t, func(w cloud.Writer) error { return w.UpdateDeviceGroup(f.ctx, first) })
	same(t, first)(f.DeviceGroup(f.ctx, first.ID))
	second.Name = "new"
	third := deviceGroup("a1", "b3")
	third.Name = "new"
	for name, write := range map[string]func(cloud.Writer) error{
		"second of a name": func(w cloud.Writer) error { return w.UpdateDeviceGroup(f.ctx, second) },
		"new of a name":    func(w cloud.Writer) error { return w.InsertDeviceGroup(f.ctx, third) },
	} {
		if err := f.Update(f.ctx, write); !errors.Is(err, cloud.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.change(t, func(w cloud.Writer) error { return w.DeleteDeviceGroup(f.ctx, first.ID) })
	same(t, device("a1", "d2"))(f.Device(f.ctx, id("d2"))) // in no group any more
	for name, err := range map[string]error{
		"read":   second1(f.DeviceGroup(f.ctx, first.ID)),
		"update": f.Update(f.ctx, func(w cloud.Writer) error { return w.UpdateDeviceGroup(f.ctx, first) }),
		"delete": f.Update(f.ctx, func(w cloud.Writer) error { return w.DeleteDeviceGroup(f.ctx, first.ID) }),
	} {
		if !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s of a deleted group: %v", name, err)
		}
	}
}

// second1 is the error of a call that also returns something.
func second1[T any](_ T, err error) error { return err }

type move func(w cloud.Writer, ctx context.Context, groupID, deviceID string) (bool, error)

// move puts a device into a group or takes it out, and wants to be told
// whether that changed anything.
func (f *fixture) move(t *testing.T, wanted bool, how move, group, device string) {
	t.Helper()
	f.change(t, func(w cloud.Writer) error {
		moved, err := how(w, f.ctx, id(group), id(device))
		if moved != wanted {
			t.Errorf("group %s, device %s: moved is %v", group, device, moved)
		}
		return err
	})
}

func (f *fixture) mustCount(t *testing.T, group string, wanted int) {
	t.Helper()
	found, err := f.DeviceGroup(f.ctx, id(group))
	if err != nil || found.Devices != wanted {
		t.Errorf("group %s has %+v devices, %v", group, found, err)
	}
}

func groupListsDevices(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error {
		empty := deviceGroup("a1", "b2")
		empty.CustomAttributes = map[string]string{"a": "c"}
		return errors.Join(w.InsertDeviceGroup(f.ctx, deviceGroup("a1", "b1")), w.InsertDeviceGroup(f.ctx, empty))
	})
	for _, name := range []string{"d1", "d2", "d3", "d4", "d5"} {
		entry := device("a1", name)
		if name == "d2" {
			entry.State = cloud.StateRegistered
		}
		f.insertDevices(t, entry)
		if name != "d4" {
			f.move(t, true, cloud.Writer.AddToDeviceGroup, "b1", name)
		}
	}
	query := cloud.Query{Limit: 2, Descending: true}
	for _, wanted := range []string{"d5 d3", "d2 d1"} {
		page, err := f.DevicesOfGroup(f.ctx, id("b1"), query)
		if err != nil || names(page.Items) != wanted || page.Total != 4 || page.HasMore != (wanted == "d5 d3") {
			t.Fatalf("page %q is %q of %d, %v", wanted, names(page.Items), page.Total, err)
		}
		query.After = page.Items[1].ID
	}
	for _, test := range []struct {
		wanted    string
		condition cloud.Condition
	}{
		{"d2", cloud.Condition{Field: "state", Operator: cloud.Equal, Values: []any{"registered"}}},
		{"d1 d3 d5", cloud.Condition{Field: "id", Operator: cloud.NotIn, Values: []any{id("d2")}}},
		{"", cloud.Condition{Field: "id", Operator: cloud.Equal, Values: []any{id("d4")}}},
	} {
		page, err := f.DevicesOfGroup(f.ctx, id("b1"), cloud.Query{Limit: 9, Conditions: []cloud.Condition{test.condition}})
		if err != nil || names(page.Items) != test.wanted || page.Total != len(page.Items) {
			t.Errorf("%+v chooses %q of %d, %v", test.condition, names(page.Items), page.Total, err)
		}
	}
	for _, test := range []struct {
		wanted    string
		condition cloud.Condition
	}{
		{"b1", cloud.Condition{Field: "devices_count", Operator: cloud.GreaterEqual, Values: []any{int64(4)}}},
		{"b2", cloud.Condition{Field: "devices_count", Operator: cloud.Equal, Values: []any{int64(0)}}},
		{"b1 b2", cloud.Condition{Field: "devices_count", Operator: cloud.In, Values: []any{int64(0), int64(4)}}},
		{"b2", cloud.Condition{Field: "custom_attributes", Key: "a", Operator: cloud.NotEqual, Values: []any{"b"}}},
		{"", cloud.Condition{Field: "updated_at", Operator: cloud.LessEqual, Values: []any{noon}}},
	} {
		page, err := f.DeviceGroups(f.ctx, id("a1"), cloud.Query{Limit: 9, Conditions: []cloud.Condition{test.condition}})
		var got []string
		for _, group := range page.Items {
			got = append(got, group.Name)
		}
		if err != nil || strings.Join(got, " ") != test.wanted {
			t.Errorf("%+v chooses %q, %v", test.condition, got, err)
		}
	}
	for field := range cloud.DeviceGroupFields() {
		condition := cloud.Condition{Field: field, Operator: cloud.In, Values: []any{"x"}}
		if _, err := f.DeviceGroups(f.ctx, id("a1"), cloud.Query{Limit: 2, Conditions: []cloud.Condition{condition}}); err != nil {
			t.Errorf("field %s: %v", field, err)
		}
	}
}

func queriesAreKept(t *testing.T, f *fixture) {
	first, second := deviceQuery("a1", "b1"), deviceQuery("a1", "b2")
	second.Name = first.Name // names need not differ
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertDeviceQuery(f.ctx, first), w.InsertDeviceQuery(f.ctx, second))
	})
	same(t, first)(f.DeviceQuery(f.ctx, first.ID))
	first.Name, first.Query, first.UpdatedAt = "new", "id=1", noon.Add(2*time.Hour)
	f.change(t, func(w cloud.Writer) error { return w.UpdateDeviceQuery(f.ctx, first) })
	same(t, first)(f.DeviceQuery(f.ctx, first.ID))
	for field := range cloud.DeviceQueryFields() {
		condition := cloud.Condition{Field: field, Operator: cloud.In, Values: []any{"x"}}
		if _, err := f.DeviceQueries(f.ctx, id("a1"), cloud.Query{Limit: 2, Conditions: []cloud.Condition{condition}}); err != nil {
			t.Errorf("field %s: %v", field, err)
		}
	}
	f.change(t, func(w cloud.Writer) error { return w.DeleteDeviceQuery(f.ctx, first.ID) })
	for name, err := range map[string]error{
		"read":   second1(f.DeviceQuery(f.ctx, first.ID)),
		"update": f.Update(f.ctx, func(w cloud.Writer) error { return w.UpdateDeviceQuery(f.ctx, first) }),
		"delete": f.Update(f.ctx, func(w cloud.Writer) error { return w.DeleteDeviceQuery(f.ctx, first.ID) }),
	} {
		if !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s of a deleted query: %v", name, err)
		}
	}
}

// lengthsAreKnown wants the numbers that are kept to be those of the rows,
// after every kind of change, a failed one among them.
func lengthsAreKnown(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error { return w.InsertAccount(f.ctx, account("a2")) })
	f.insertDevices(t, device("a1", "d1"), device("a1", "d2"), device("a1", "d3"), device("a1", "d4"), device("a2", "d5"))
	moved := device("a1", "d2")
	moved.State = cloud.StateRegistered
	failure := errors.New("no")
	err := f.Update(f.ctx, func(w cloud.Writer) error {
		return errors.Join(w.InsertDevice(f.ctx, device("a1", "d6")), w.DeleteDevice(f.ctx, id("d1")), failure)
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.UpdateDevice(f.ctx, moved), w.UpdateDevice(f.ctx, moved), w.DeleteDevice(f.ctx, id("d4")))
	})
	old, other := event("a1", "f1"), event("a1", "f3")
	old.At, other.Type = noon.Add(-time.Hour), cloud.EventBootstrap
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertEvent(f.ctx, old), w.InsertEvent(f.ctx, event("a1", "f2")), w.InsertEvent(f.ctx, other),
			w.InsertEvent(f.ctx, event("a1", "f4")), second1(w.DeleteEvents(f.ctx, noon)))
	})
	for _, test := range []struct {
		conditions      []cloud.Condition
		devices, events int
	}{
		{nil, 3, 3},
		{[]cloud.Condition{{Field: "state", Operator: cloud.Equal, Values: []any{"registered"}}}, 1, -1},
		{[]cloud.Condition{{Field: "state", Operator: cloud.NotEqual, Values: []any{"registered"}}}, 2, -1},
		{[]cloud.Condition{{Field: "state", Operator: cloud.In, Values: []any{"registered", "bootstrapped"}}}, 3, -1},
		{[]cloud.Condition{{Field: "event_type", Operator: cloud.Equal, Values: []any{"registration"}}}, -1, 2},
	} {
		query := cloud.Query{Limit: 1, Conditions: test.conditions, After: id("0")} // a page in the middle
		if test.devices >= 0 {
			page, err := f.Devices(f.ctx, id("a1"), query)
			if err != nil || page.Total != test.devices {
				t.Errorf("%+v: %d devices, %v", test.conditions, page.Total, err)
			}
		}
		if test.events >= 0 {
			page, err := f.Events(f.ctx, id("a1"), query)
			if err != nil || page.Total != test.events {
				t.Errorf("%+v: %d events, %v", test.conditions, page.Total, err)
			}
		}
	}
	counts, err := f.DeviceCounts(f.ctx)
	maps.DeleteFunc(counts, func(_ cloud.DeviceState, count int) bool { return count == 0 })
	if wanted := (map[cloud.DeviceState]int{"bootstrapped": 3, "registered": 1}); err != nil || !maps.Equal(counts, wanted) {
		t.Errorf("there are %v, %v", counts, err)
	}
}

func attributesAreFound(t *testing.T, f *fixture) {
	first, second := device("a1", "d1"), device("a1", "d2")
	first.CustomAttributes = map[string]string{"room": "1", "späße": `"quoted"`}
	second.CustomAttributes = map[string]string{"room": "1"}
	f.insertDevices(t, first, second)
	found := func(name, value, wanted string) {
		t.Helper()
		condition := cloud.Condition{Field: "custom_attributes", Key: name, Operator: cloud.Equal, Values: []any{value}}
		page, err := f.Devices(f.ctx, id("a1"), cloud.Query{Limit: 9, Conditions: []cloud.Condition{condition}})
		if err != nil || names(page.Items) != wanted {
			t.Errorf("%s=%s finds %q, %v", name, value, names(page.Items), err)
		}
	}
	found("room", "1", "d1 d2")
	found("späße", `"quoted"`, "d1")
	first.CustomAttributes = map[string]string{"room": "2", "new": ""}
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.UpdateDevice(f.ctx, first), w.UpdateDevice(f.ctx, first))
	})
	found("room", "1", "d2")
	found("room", "2", "d1")
	found("new", "", "d1")
	found("späße", `"quoted"`, "")
	f.change(t, func(w cloud.Writer) error { return w.DeleteDevice(f.ctx, id("d1")) })
	found("room", "2", "")
}
