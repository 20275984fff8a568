package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"mbl/internal/cloud"
)

// same fails the test unless what was read is what was written.
func same[T any](t *testing.T, wanted T) func(T, error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("cannot read %T: %v", wanted, err)
		} else if !reflect.DeepEqual(got, wanted) {
			t.Errorf("read %+v\ninstead of %+v", got, wanted)
		}
	}
}

func insertedIsReadBack(t *testing.T, f *fixture) {
	key, trusted, entry := apiKey("a1", "e1"), certificate("a1", "c1"), device("a1", "d1")
	unused := apiKey("a1", "e2")
	unused.LastUsedAt = time.Time{}
	entry.CustomAttributes = map[string]string{"room": "\"1\""}
	registered, happened := registration("a1", "d1"), event("a1", "f1")
	issued := deviceCertificate("a1", "d1", "fp")
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(
			w.InsertAPIKey(f.ctx, key), w.InsertAPIKey(f.ctx, unused), w.InsertCertificate(f.ctx, trusted),
			w.InsertDevice(f.ctx, entry), w.SaveRegistration(f.ctx, registered), w.InsertEvent(f.ctx, happened),
			w.InsertDeviceCertificate(f.ctx, issued), w.InsertAuthority(f.ctx, authority()),
			w.InsertAuditRecord(f.ctx, &cloud.AuditRecord{ID: id("1"), AccountID: id("a1"), At: noon}),
		)
	})
	same(t, f.account)(f.Account(f.ctx, id("a1")))
	same(t, f.account)(f.FirstAccount(f.ctx))
	same(t, key)(f.APIKey(f.ctx, key.ID))
	same(t, unused)(f.APIKey(f.ctx, unused.ID))
	same(t, trusted)(f.Certificate(f.ctx, trusted.ID))
	same(t, trusted)(f.CertificateByFingerprint(f.ctx, trusted.Fingerprint))
	same(t, cloud.CertificateVersion{ID: trusted.ID, Version: trusted.Version})(f.CertificateVersion(f.ctx, trusted.Fingerprint))
	same(t, cloud.CertificateState{Service: trusted.Service, Active: trusted.Active})(f.CertificateState(f.ctx, trusted.ID))
	same(t, entry)(f.Device(f.ctx, entry.ID))
	same(t, registered)(f.Registration(f.ctx, entry.ID))
	same(t, happened)(f.Event(f.ctx, happened.ID))
	same(t, issued)(f.DeviceCertificate(f.ctx, issued.Fingerprint))
	same(t, authority())(f.Authority(f.ctx, cloud.DeviceAuthority))
	same(t, 1)(f.CountCertificates(f.ctx, id("a1")))
	same(t, 1)(f.CountDevices(f.ctx, id("c1")))
}

func changedIsReadBack(t *testing.T, f *fixture) {
	key, entry, registered := apiKey("a1", "e1"), device("a1", "d1"), registration("a1", "d1")
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertAPIKey(f.ctx, key), w.InsertDevice(f.ctx, entry), w.SaveRegistration(f.ctx, registered))
	})
	key.Name, key.Active, key.Digest, key.Groups, key.Version = "new", false, []byte{3}, []string{id("dd")}, 8
	entry.State, entry.Name, entry.BootstrappedAt = cloud.StateRegistered, "new", time.Time{}
	entry.CustomAttributes = map[string]string{"a": "b"}
	entry.EndpointType, entry.Description, entry.ExecutionMode = "new", "new", 0
	entry.CertificateID, entry.IssuerFingerprint, entry.DeviceKey = id("c2"), "g", "EF"
	entry.VendorID, entry.DeviceClass, entry.SerialNumber = "v", "c", "s"
	entry.BootstrapExpiresAt, entry.ConnectorExpiresAt, entry.UpdatedAt = noon.Add(1e6), noon.Add(2e6), noon.Add(3e6)
	entry.AutoUpdate, entry.Deployment, entry.HostGateway = false, "e", "h"
	entry.Manifest, entry.Mechanism, entry.MechanismURL = "", cloud.MechanismDirect, ""
	registered.Links, registered.Lifetime = []cloud.Link{{Path: "/5"}}, time.Minute
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.UpdateAPIKey(f.ctx, key), w.UpdateDevice(f.ctx, entry), w.SaveRegistration(f.ctx, registered))
	})
	same(t, key)(f.APIKey(f.ctx, key.ID))
	same(t, entry)(f.Device(f.ctx, entry.ID))
	same(t, registered)(f.Registration(f.ctx, entry.ID))

	gone := *entry
	gone.Name, gone.CertificateID = "not read", "not read"
	gone.State, gone.EndpointType, gone.UpdatedAt = cloud.StateDeregistered, "newer", noon.Add(4e6)
	entry.State, entry.EndpointType, entry.UpdatedAt = gone.State, gone.EndpointType, gone.UpdatedAt
	f.change(t, func(w cloud.Writer) error { return w.UpdateDeviceState(f.ctx, &gone) })
	same(t, entry)(f.Device(f.ctx, entry.ID))

	changed, city, days := *f.account, "Town", 5
	changed.DisplayName, changed.Version, changed.UpdatedAt = "new", 2, noon.Add(2*time.Hour)
	changed.Profile = cloud.AccountProfile{City: &city, IdleTimeout: &days, Aliases: []string{"a"}, CustomFields: map[string]string{"a": "b"}}
	f.change(t, func(w cloud.Writer) error { return w.UpdateAccount(f.ctx, &changed) })
	same(t, &changed)(f.Account(f.ctx, changed.ID))

	key.LastUsedAt = noon.Add(time.Hour)
	registered.Lifetime, registered.ExpiresAt = time.Hour, noon.Add(time.Hour)
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.TouchAPIKey(f.ctx, key.ID, key.LastUsedAt),
			w.RenewRegistration(f.ctx, entry.ID, registered.Lifetime, registered.ExpiresAt))
	})
	same(t, key)(f.APIKey(f.ctx, key.ID))
	same(t, registered)(f.Registration(f.ctx, entry.ID))
}

func missingIsNotFound(t *testing.T, f *fixture) {
	reads := map[string]func() error{
		"account":            func() error { _, err := f.Account(f.ctx, id("0")); return err },
		"API key":            func() error { _, err := f.APIKey(f.ctx, id("0")); return err },
		"authority":          func() error { _, err := f.Authority(f.ctx, "none"); return err },
		"certificate":        func() error { _, err := f.Certificate(f.ctx, id("0")); return err },
		"version":            func() error { _, err := f.CertificateVersion(f.ctx, "0"); return err },
		"state":              func() error { _, err := f.CertificateState(f.ctx, id("0")); return err },
		"fingerprint":        func() error { _, err := f.CertificateByFingerprint(f.ctx, "0"); return err },
		"device":             func() error { _, err := f.Device(f.ctx, id("0")); return err },
		"registration":       func() error { _, err := f.Registration(f.ctx, id("0")); return err },
		"event":              func() error { _, err := f.Event(f.ctx, id("0")); return err },
		"device certificate": func() error { _, err := f.DeviceCertificate(f.ctx, "0"); return err },
	}
	writes := map[string]func(cloud.Writer) error{
		"update account":     func(w cloud.Writer) error { return w.UpdateAccount(f.ctx, account("a9")) },
		"update key":         func(w cloud.Writer) error { return w.UpdateAPIKey(f.ctx, apiKey("a1", "e9")) },
		"delete key":         func(w cloud.Writer) error { return w.DeleteAPIKey(f.ctx, id("e9")) },
		"delete certificate": func(w cloud.Writer) error { return w.DeleteCertificate(f.ctx, id("c9")) },
		"device state":       func(w cloud.Writer) error { return w.UpdateDeviceState(f.ctx, device("a1", "d9")) },
		"update device":      func(w cloud.Writer) error { return w.UpdateDevice(f.ctx, device("a1", "d9")) },
		"delete device":      func(w cloud.Writer) error { return w.DeleteDevice(f.ctx, id("d9")) },
		"renew registration": func(w cloud.Writer) error { return w.RenewRegistration(f.ctx, id("d9"), 1, noon) },
	}
	for name, read := range reads {
		if err := read(); !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, write := range writes {
		if err := f.Update(f.ctx, write); !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func uniqueIsConflict(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertCertificate(f.ctx, certificate("a1", "c1")), w.InsertDevice(f.ctx, device("a1", "d1")),
			w.InsertDeviceCertificate(f.ctx, deviceCertificate("a1", "d1", "fp")))
	})
	sameName, sameFingerprint := certificate("a1", "c2"), certificate("a1", "c3")
	sameName.Name = "c1"
	sameFingerprint.Fingerprint = "fingerprint c1"
	for name, write := range map[string]func(cloud.Writer) error{
		"certificate name":        func(w cloud.Writer) error { return w.InsertCertificate(f.ctx, sameName) },
		"certificate fingerprint": func(w cloud.Writer) error { return w.InsertCertificate(f.ctx, sameFingerprint) },
		"device id":               func(w cloud.Writer) error { return w.InsertDevice(f.ctx, device("a1", "d1")) },
		"device certificate": func(w cloud.Writer) error {
			return w.InsertDeviceCertificate(f.ctx, deviceCertificate("a1", "d2", "fp"))
		},
	} {
		if err := f.Update(f.ctx, write); !errors.Is(err, cloud.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func failedChangeLeavesNothing(t *testing.T, f *fixture) {
	failure := errors.New("no")
	err := f.Update(f.ctx, func(w cloud.Writer) error {
		if err := w.InsertDevice(f.ctx, device("a1", "d1")); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("the change's own error became %v", err)
	}
	if _, err := f.Device(f.ctx, id("d1")); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("the device is there: %v", err)
	}
	f.insertDevices(t, device("a1", "d1")) // and the store still works
}

func changeIsIsolated(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error {
		if err := w.InsertDevice(f.ctx, device("a1", "d1")); err != nil {
			return err
		}
		if _, err := w.Device(f.ctx, id("d1")); err != nil {
			return fmt.Errorf("the change does not see itself: %w", err)
		}
		if _, err := f.Device(f.ctx, id("d1")); !errors.Is(err, cloud.ErrNotFound) {
			return fmt.Errorf("others see what is not committed: %w", err)
		}
		return nil
	})
	same(t, device("a1", "d1"))(f.Device(f.ctx, id("d1")))
}

func writersQueue(t *testing.T, f *fixture) {
	const writers, each = 8, 5
	failures := make([]error, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() { failures[i] = insertSome(f.ctx, f.Store, i, each) })
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	same(t, writers*each)(f.CountDevices(f.ctx, id("c1")))
}

func insertSome(ctx context.Context, store cloud.Store, writer, each int) error {
	for j := range each {
		name := fmt.Sprintf("%x%02x", writer, j)
		err := store.Update(ctx, func(w cloud.Writer) error { return w.InsertDevice(ctx, device("a1", name)) })
		if err != nil {
			return err
		}
	}
	return nil
}

func deletedDeviceTakesRegistration(t *testing.T, f *fixture) {
	f.insertDevices(t, device("a1", "d1"))
	f.change(t, func(w cloud.Writer) error { return w.SaveRegistration(f.ctx, registration("a1", "d1")) })
	f.change(t, func(w cloud.Writer) error { return w.DeleteDevice(f.ctx, id("d1")) })
	if _, err := f.Registration(f.ctx, id("d1")); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("the registration is there: %v", err)
	}
}

func registrationsEnd(t *testing.T, f *fixture) {
	f.insertDevices(t, device("a1", "d1"), device("a1", "d2"), device("a1", "d3"))
	for i, name := range []string{"d1", "d2", "d3"} {
		record := registration("a1", name)
		record.ExpiresAt = noon.Add(time.Duration(i) * time.Second)
		f.change(t, func(w cloud.Writer) error { return w.SaveRegistration(f.ctx, record) })
	}
	for _, test := range []struct {
		at     time.Time
		limit  int
		wanted int
	}{
		{noon.Add(-time.Microsecond), 10, 0}, {noon, 10, 1}, {noon.Add(time.Second), 10, 2}, {noon.Add(time.Hour), 2, 2},
	} {
		expired, err := f.ExpiredRegistrations(f.ctx, test.at, test.limit)
		if err != nil || len(expired) != test.wanted {
			t.Errorf("at %v there are %d expired, %v", test.at, len(expired), err)
		}
	}
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.DeleteRegistration(f.ctx, id("d1")), w.DeleteRegistration(f.ctx, id("d1")))
	})
}

func deviceCertificatesEnd(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(
			w.InsertDeviceCertificate(f.ctx, deviceCertificate("a1", "d1", "old")),
			w.InsertDeviceCertificate(f.ctx, deviceCertificate("a1", "d2", "other")),
			w.RevokeDeviceCertificates(f.ctx, id("d1"), noon.Add(time.Hour)),
			w.InsertDeviceCertificate(f.ctx, deviceCertificate("a1", "d1", "new")),
		)
	})
	statuses := func() string {
		text := ""
		for _, fingerprint := range []string{"old", "new", "other"} {
			found, err := f.DeviceCertificate(f.ctx, fingerprint)
			if err != nil {
				t.Fatal(err)
			}
			text += string(found.Status) + " "
		}
		return text
	}
	if got := statuses(); got != "revoked active active " {
		t.Errorf("after a re-bootstrap: %s", got)
	}
	for before, wanted := range map[time.Time]int{noon: 0, noon.Add(time.Second): 2} {
		if count, err := f.CountActiveCertificates(f.ctx, before); count != wanted || err != nil {
			t.Errorf("%d active certificates were issued before %v, %v", count, before, err)
		}
	}
	f.change(t, func(w cloud.Writer) error { return w.RevokeCertificatesUnder(f.ctx, id("c1"), noon) })
	if got := statuses(); got != "revoked revoked revoked " {
		t.Errorf("after the end of the trusted certificate: %s", got)
	}
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.DeleteDeviceCertificate(f.ctx, "old"), w.DeleteDeviceCertificate(f.ctx, "old"))
	})
	if _, err := f.DeviceCertificate(f.ctx, "old"); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("deleted it is still found: %v", err)
	}
}

func endingIsCounted(t *testing.T, f *fixture) {
	soon, asleep := certificate("a1", "c1"), certificate("a1", "c2")
	soon.NotAfter, asleep.NotAfter, asleep.Active = noon, noon, false
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertCertificate(f.ctx, soon), w.InsertCertificate(f.ctx, asleep), w.InsertCertificate(f.ctx, certificate("a1", "c3")),
			w.InsertDeviceCertificate(f.ctx, deviceCertificate("a1", "d1", "fp1")), w.InsertDeviceCertificate(f.ctx, deviceCertificate("a1", "d2", "fp2")),
			w.RevokeDeviceCertificates(f.ctx, id("d2"), noon))
	})
	end := noon.Add(time.Hour) // of the device certificates
	for _, test := range []struct {
		from, to         time.Time
		trusted, devices int
	}{
		{noon.Add(-time.Hour), noon, 1, 0},
		{noon, end, 0, 1},
		{noon.Add(-time.Hour), end, 1, 1},
		{end, end.Add(time.Hour), 0, 0},
		{noon.Add(-2 * time.Hour), noon.Add(-time.Hour), 0, 0},
	} {
		same(t, test.trusted)(f.CountCertificatesEnding(f.ctx, test.from, test.to))
		same(t, test.devices)(f.CountDeviceCertificatesEnding(f.ctx, test.from, test.to))
	}
}
