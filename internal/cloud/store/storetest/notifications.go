package storetest

import (
	"errors"
	"slices"
	"testing"

	"mbl/internal/cloud"
)

// subscriptionsEnd: what a key subscribes to is read back until it is deleted,
// at the latest with its key or device.
func subscriptionsEnd(t *testing.T, f *fixture) {
	f.insertDevices(t, device("a1", "d1"), device("a1", "d2"))
	one := cloud.Subscription{AccountID: id("a1"), KeyID: id("e1"), DeviceID: id("d1"), Path: "/3/0/13", CreatedAt: noon}
	other, second, third := one, one, one
	other.KeyID = id("e2")
	second.Path = "/5/0"
	third.DeviceID = id("d2")
	rules := cloud.Presubscriptions{AccountID: id("a1"), KeyID: id("e1"), Rules: []cloud.Presubscription{
		{EndpointName: "b*", EndpointType: "Ünïcode", Paths: []string{"/3/*", "/5"}}, {},
	}}
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(
			w.InsertAPIKey(f.ctx, apiKey("a1", "e1")), w.InsertAPIKey(f.ctx, apiKey("a1", "e2")),
			w.SaveSubscription(f.ctx, one), w.SaveSubscription(f.ctx, other), w.SaveSubscription(f.ctx, second),
			w.SaveSubscription(f.ctx, third), w.SaveSubscription(f.ctx, one),
			w.SavePresubscriptions(f.ctx, cloud.Presubscriptions{KeyID: id("e1")}), w.SavePresubscriptions(f.ctx, rules),
		)
	})
	f.wantSubscriptions(t, one, other, second, third)
	same(t, []cloud.Presubscriptions{rules})(f.Presubscriptions(f.ctx))
	for _, unknown := range []cloud.Subscription{{KeyID: id("99"), DeviceID: id("d1")}, {KeyID: id("e1"), DeviceID: id("99")}} {
		err := f.Update(f.ctx, func(w cloud.Writer) error { return w.SaveSubscription(f.ctx, unknown) })
		if !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("of nothing: %v", err)
		}
	}
	f.change(t, func(w cloud.Writer) error { return w.DeleteSubscription(f.ctx, second) })
	f.wantSubscriptions(t, one, other, third)
	f.change(t, func(w cloud.Writer) error { return w.DeleteDeviceSubscriptions(f.ctx, id("d1")) })
	f.wantSubscriptions(t, third)
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.SaveSubscription(f.ctx, one), w.SaveSubscription(f.ctx, other), w.DeleteDevice(f.ctx, id("d2")))
	})
	f.wantSubscriptions(t, one, other)
	f.change(t, func(w cloud.Writer) error { return w.DeleteAPIKey(f.ctx, id("e1")) })
	f.wantSubscriptions(t, other)
	same(t, []cloud.Presubscriptions(nil))(f.Presubscriptions(f.ctx))
	f.change(t, func(w cloud.Writer) error {
		rules.KeyID = id("e2")
		return errors.Join(w.SavePresubscriptions(f.ctx, rules), w.DeletePresubscriptions(f.ctx, id("e2")))
	})
	same(t, []cloud.Presubscriptions(nil))(f.Presubscriptions(f.ctx))
}

func (f *fixture) wantSubscriptions(t *testing.T, wanted ...cloud.Subscription) {
	t.Helper()
	got, err := f.Subscriptions(f.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range wanted {
		if !slices.Contains(got, each) {
			t.Errorf("%+v is missing", each)
		}
	}
	if len(got) != len(wanted) {
		t.Errorf("%d instead of %d subscriptions", len(got), len(wanted))
	}
}

func channelsAreKept(t *testing.T, f *fixture) {
	first := cloud.ChannelRecord{AccountID: id("a1"), KeyID: id("e1"), Kind: cloud.WebsocketChannel, Sealed: []byte{0, 255}, ChangedAt: noon}
	later := first
	later.Kind, later.Sealed = cloud.CallbackChannel, []byte{1}
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertAPIKey(f.ctx, apiKey("a1", "e1")), w.SaveChannelRecord(f.ctx, first))
	})
	same(t, []cloud.ChannelRecord{first})(f.ChannelRecords(f.ctx))
	f.change(t, func(w cloud.Writer) error { return w.SaveChannelRecord(f.ctx, later) })
	same(t, []cloud.ChannelRecord{later})(f.ChannelRecords(f.ctx))
	f.change(t, func(w cloud.Writer) error { return w.DeleteChannelRecord(f.ctx, id("e1")) })
	same(t, []cloud.ChannelRecord(nil))(f.ChannelRecords(f.ctx))
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.SaveChannelRecord(f.ctx, first), w.DeleteAPIKey(f.ctx, id("e1")))
	})
	same(t, []cloud.ChannelRecord(nil))(f.ChannelRecords(f.ctx))
}

func backlogsAreKept(t *testing.T, f *fixture) {
	backlog := cloud.BacklogRecord{AccountID: id("a1"), KeyID: id("e1"), Sealed: []byte{0, 255}, SavedAt: noon}
	nobody := backlog
	nobody.KeyID = id("e9")
	save := func(w cloud.Writer) error {
		return errors.Join(w.SaveBacklogRecord(f.ctx, backlog), w.SaveBacklogRecord(f.ctx, nobody))
	}
	f.change(t, func(w cloud.Writer) error { return w.InsertAPIKey(f.ctx, apiKey("a1", "e1")) })
	f.change(t, save)
	same(t, []cloud.BacklogRecord{backlog})(f.BacklogRecords(f.ctx))
	f.change(t, func(w cloud.Writer) error { return w.DeleteBacklogRecords(f.ctx) })
	same(t, []cloud.BacklogRecord(nil))(f.BacklogRecords(f.ctx))
	f.change(t, save)
	f.change(t, func(w cloud.Writer) error { return w.DeleteAPIKey(f.ctx, id("e1")) })
	same(t, []cloud.BacklogRecord(nil))(f.BacklogRecords(f.ctx))
}
