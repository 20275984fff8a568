package storetest

import (
	"errors"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func authoritiesAreFound(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error { return w.InsertAccount(f.ctx, account("a2")) })
	ours, theirs, other := certificate("a1", "c1"), certificate("a2", "c2"), certificate("a1", "c3")
	ours.AuthoritySubject, theirs.AuthoritySubject, ours.SealedKey = "s", "s", nil
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertCertificate(f.ctx, ours), w.InsertCertificate(f.ctx, theirs), w.InsertCertificate(f.ctx, other))
	})
	same(t, []*cloud.TrustedCertificate{ours, theirs})(f.Authorities(f.ctx, "s"))
	same(t, []*cloud.TrustedCertificate(nil))(f.Authorities(f.ctx, ""))
	same(t, []*cloud.TrustedCertificate(nil))(f.Authorities(f.ctx, "x"))

	ours.Name, ours.Description, ours.Service, ours.EnrollmentMode, ours.Active = "new", "d", cloud.LwM2MService, true, false
	ours.Certificate, ours.Fingerprint, ours.Subject, ours.Issuer = []byte{0x30, 1, 0}, "f", "CN=s", "CN=i"
	ours.NotBefore, ours.NotAfter, ours.EndpointName = noon.AddDate(1, 0, 0), noon.AddDate(2, 0, 0), "e"
	ours.AuthoritySubject, ours.Version, ours.UpdatedAt = "x", 2, noon.AddDate(0, 0, 1)
	f.change(t, func(w cloud.Writer) error { return w.UpdateCertificate(f.ctx, ours) })
	same(t, ours)(f.Certificate(f.ctx, ours.ID))
	same(t, []*cloud.TrustedCertificate{ours})(f.Authorities(f.ctx, "x"))

	ours.Name = other.Name
	err := f.Update(f.ctx, func(w cloud.Writer) error { return w.UpdateCertificate(f.ctx, ours) })
	if !errors.Is(err, cloud.ErrConflict) {
		t.Errorf("a taken name: %v", err)
	}
	missing := certificate("a1", "c9")
	err = f.Update(f.ctx, func(w cloud.Writer) error { return w.UpdateCertificate(f.ctx, missing) })
	if !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("a missing certificate: %v", err)
	}
}

func sharedKey(account, name string) *cloud.SharedKey {
	return &cloud.SharedKey{ID: id(name), AccountID: id(account), EndpointName: "endpoint " + name, SealedSecret: []byte{0, 255}, CreatedAt: noon}
}

func sharedKeysAreKept(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error { return w.InsertAccount(f.ctx, account("a2")) })
	first, second, theirs := sharedKey("a1", "b1"), sharedKey("a1", "b2"), sharedKey("a2", "b3")
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertSharedKey(f.ctx, first), w.InsertSharedKey(f.ctx, second), w.InsertSharedKey(f.ctx, theirs))
	})
	same(t, first)(f.SharedKey(f.ctx, first.EndpointName))
	page := func(after string) cloud.Query { return cloud.Query{Limit: 1, After: after} }
	same(t, cloud.Page[*cloud.SharedKey]{Items: []*cloud.SharedKey{first}, HasMore: true, Total: 2})(f.SharedKeys(f.ctx, id("a1"), page("")))
	same(t, cloud.Page[*cloud.SharedKey]{Items: []*cloud.SharedKey{second}, Total: 2})(f.SharedKeys(f.ctx, id("a1"), page(first.ID)))

	twice := sharedKey("a2", "b4")
	twice.EndpointName = first.EndpointName
	err := f.Update(f.ctx, func(w cloud.Writer) error { return w.InsertSharedKey(f.ctx, twice) })
	if !errors.Is(err, cloud.ErrConflict) {
		t.Errorf("a taken endpoint name: %v", err)
	}
	f.change(t, func(w cloud.Writer) error { return w.DeleteSharedKey(f.ctx, first.ID) })
	_, err = f.SharedKey(f.ctx, first.EndpointName)
	again := f.Update(f.ctx, func(w cloud.Writer) error { return w.DeleteSharedKey(f.ctx, first.ID) })
	if !errors.Is(err, cloud.ErrNotFound) || !errors.Is(again, cloud.ErrNotFound) {
		t.Errorf("once deleted it is %v, and deleting again %v", err, again)
	}
}

func issuerIsKept(t *testing.T, f *fixture) {
	if _, err := f.IssuerConfiguration(f.ctx, id("a1")); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("before it was set: %v", err)
	}
	set := &cloud.IssuerConfiguration{AccountID: id("a1"), IssuerID: id("ca"), Version: 2, CreatedAt: noon, UpdatedAt: noon}
	f.change(t, func(w cloud.Writer) error { return w.SaveIssuerConfiguration(f.ctx, set) })
	same(t, set)(f.IssuerConfiguration(f.ctx, id("a1")))
	set.IssuerID, set.Version, set.UpdatedAt = "", 3, noon.AddDate(0, 0, 1)
	f.change(t, func(w cloud.Writer) error { return w.SaveIssuerConfiguration(f.ctx, set) })
	same(t, set)(f.IssuerConfiguration(f.ctx, id("a1")))
}

func suspensionIsKept(t *testing.T, f *fixture) {
	entry := device("a1", "d1")
	f.insertDevices(t, entry, device("a1", "d2"))
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertCertificate(f.ctx, certificate("a1", "c1")), w.InsertDeviceCertificate(f.ctx, deviceCertificate("a1", "d1", "fp")))
	})
	suspension := cloud.Suspension{Active: true, Category: "security", Description: "two\nlines", ChangedAt: noon}
	f.change(t, func(w cloud.Writer) error { return w.SaveSuspension(f.ctx, entry.ID, suspension) })
	f.change(t, func(w cloud.Writer) error { return w.UpdateDevice(f.ctx, entry) }) // which does not lift it
	entry.Suspension = suspension
	same(t, entry)(f.Device(f.ctx, entry.ID))
	if standing, err := f.Standing(f.ctx, "fp"); err != nil || !standing.Suspended {
		t.Errorf("it stands as %+v, %v", standing, err)
	}
	for _, condition := range []cloud.Condition{
		{Field: "lifecycle_status", Operator: cloud.Equal, Values: []any{"blocked"}},
		{Field: "operator_suspended", Operator: cloud.Equal, Values: []any{true}},
		{Field: "last_operator_suspended_category", Operator: cloud.In, Values: []any{"security", "x"}},
		{Field: "last_operator_suspended_updated_at", Operator: cloud.GreaterEqual, Values: []any{noon}},
	} {
		page, err := f.Devices(f.ctx, id("a1"), cloud.Query{Limit: 10, Conditions: []cloud.Condition{condition}})
		if err != nil || names(page.Items) != "d1" || page.Total != 1 {
			t.Errorf("%s chooses %q, %v", condition.Field, names(page.Items), err)
		}
	}
	err := f.Update(f.ctx, func(w cloud.Writer) error { return w.SaveSuspension(f.ctx, id("d9"), suspension) })
	if !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("a missing device: %v", err)
	}
}

func denial(account, name string) *cloud.Denial {
	return &cloud.Denial{ID: id(name), AccountID: id(account), CertificateID: id("c1"), EndpointName: "endpoint " + name, At: noon}
}

func denialsAreKept(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error { return w.InsertAccount(f.ctx, account("a2")) })
	first, second, third, theirs := denial("a1", "b1"), denial("a1", "b2"), denial("a1", "b3"), denial("a2", "b0")
	third.CertificateID = id("c2")
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.SaveDenial(f.ctx, first), w.SaveDenial(f.ctx, second), w.SaveDenial(f.ctx, third), w.SaveDenial(f.ctx, theirs))
	})
	same(t, first)(f.Denial(f.ctx, first.ID))
	same(t, second)(f.DenialOf(f.ctx, id("c1"), "endpoint b2"))
	query := cloud.Query{Limit: 10, Conditions: []cloud.Condition{
		{Field: "trusted_certificate_id", Operator: cloud.Equal, Values: []any{id("c1")}},
	}}
	same(t, cloud.Page[*cloud.Denial]{Items: []*cloud.Denial{first, second}, Total: 2})(f.Denials(f.ctx, id("a1"), query))

	again := denial("a1", "b4")
	again.EndpointName, again.At = first.EndpointName, noon.AddDate(0, 0, 1)
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.SaveDenial(f.ctx, again), w.TrimDenials(f.ctx, id("a1"), 2))
	})
	same(t, again)(f.DenialOf(f.ctx, id("c1"), first.EndpointName))
	all := cloud.Query{Limit: 10}
	same(t, cloud.Page[*cloud.Denial]{Items: []*cloud.Denial{third, again}, Total: 2})(f.Denials(f.ctx, id("a1"), all))
	same(t, cloud.Page[*cloud.Denial]{Items: []*cloud.Denial{theirs}, Total: 1})(f.Denials(f.ctx, id("a2"), all))
	for what, read := range map[string]func() error{
		"the replaced one": func() error { _, err := f.Denial(f.ctx, first.ID); return err },
		"another name":     func() error { _, err := f.DenialOf(f.ctx, id("c1"), "x"); return err },
	} {
		if err := read(); !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func claim(account, name string) *cloud.Enrollment {
	return &cloud.Enrollment{ID: id(name), AccountID: id(account), Identity: "A-" + name, CreatedAt: noon, ExpiresAt: noon.AddDate(1, 0, 0)}
}

func claimsAreKept(t *testing.T, f *fixture) {
	f.change(t, func(w cloud.Writer) error { return w.InsertAccount(f.ctx, account("a2")) })
	first, second, theirs := claim("a1", "b1"), claim("a1", "b2"), claim("a2", "b3")
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertEnrollment(f.ctx, first), w.InsertEnrollment(f.ctx, second), w.InsertEnrollment(f.ctx, theirs))
	})
	same(t, first)(f.Enrollment(f.ctx, first.ID))
	same(t, second)(f.EnrollmentOf(f.ctx, "A-b2"))
	twice := claim("a2", "b4")
	twice.Identity = first.Identity
	if err := f.Update(f.ctx, func(w cloud.Writer) error { return w.InsertEnrollment(f.ctx, twice) }); !errors.Is(err, cloud.ErrConflict) {
		t.Errorf("claimed twice: %v", err)
	}
	first.ClaimedAt, first.DeviceID = noon, id("d1")
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.UpdateEnrollment(f.ctx, first), w.DeleteExpiredEnrollments(f.ctx, noon.AddDate(2, 0, 0)))
	})
	all := cloud.Query{Limit: 10}
	same(t, cloud.Page[*cloud.Enrollment]{Items: []*cloud.Enrollment{first}, Total: 1})(f.Enrollments(f.ctx, id("a1"), all))
	f.change(t, func(w cloud.Writer) error { return w.DeleteEnrollment(f.ctx, first.ID) })
	for what, err := range map[string]error{
		"deleting again": f.Update(f.ctx, func(w cloud.Writer) error { return w.DeleteEnrollment(f.ctx, first.ID) }),
		"changing it":    f.Update(f.ctx, func(w cloud.Writer) error { return w.UpdateEnrollment(f.ctx, first) }),
	} {
		if !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func renewalsAreKept(t *testing.T, f *fixture) {
	f.insertDevices(t, device("a1", "d1"), device("a1", "d2"))
	renewal := func(device, name string, made time.Time) *cloud.CertificateEnrollment {
		return &cloud.CertificateEnrollment{
			ID: id(name), AccountID: id("a1"), DeviceID: id(device), CertificateName: "LWM2M", Status: cloud.EnrollmentNew, CreatedAt: made, UpdatedAt: made,
		}
	}
	later := noon.Add(time.Hour)
	first, second := renewal("d1", "b1", noon), renewal("d2", "b2", later)
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.InsertCertificateEnrollment(f.ctx, first), w.InsertCertificateEnrollment(f.ctx, second))
	})
	same(t, first)(f.CertificateEnrollment(f.ctx, first.ID))
	err := f.Update(f.ctx, func(w cloud.Writer) error { return w.InsertCertificateEnrollment(f.ctx, renewal("d1", "b3", later)) })
	if !errors.Is(err, cloud.ErrConflict) {
		t.Errorf("a second of one device: %v", err)
	}
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.FailCertificateEnrollments(f.ctx, later, later, "why"), w.CompleteCertificateEnrollments(f.ctx, id("d1"), later))
	})
	first.Status, first.Result, first.Detail, first.UpdatedAt = cloud.EnrollmentCompleted, cloud.EnrollmentFailure, "why", later
	same(t, first)(f.CertificateEnrollment(f.ctx, first.ID))
	same(t, second)(f.CertificateEnrollment(f.ctx, second.ID))
	f.change(t, func(w cloud.Writer) error { return w.CompleteCertificateEnrollments(f.ctx, id("d2"), later) })
	second.Status, second.Result = cloud.EnrollmentCompleted, cloud.EnrollmentSuccess
	for _, condition := range []cloud.Condition{
		{Field: "device_id", Operator: cloud.Equal, Values: []any{id("d2")}},
		{Field: "enroll_result", Operator: cloud.NotEqual, Values: []any{"failure"}},
		{Field: "created_at", Operator: cloud.GreaterEqual, Values: []any{later}},
	} {
		same(t, cloud.Page[*cloud.CertificateEnrollment]{Items: []*cloud.CertificateEnrollment{second}, Total: 1})(
			f.CertificateEnrollments(f.ctx, id("a1"), cloud.Query{Limit: 10, Conditions: []cloud.Condition{condition}}))
	}
	f.change(t, func(w cloud.Writer) error {
		return errors.Join(w.DeleteCertificateEnrollments(f.ctx, later), w.DeleteDevice(f.ctx, id("d2")))
	})
	if page, err := f.CertificateEnrollments(f.ctx, id("a1"), cloud.Query{Limit: 10}); err != nil || page.Total != 0 {
		t.Errorf("%d are left, %v", page.Total, err)
	}
	err = f.Update(f.ctx, func(w cloud.Writer) error { return w.DeleteCertificateEnrollment(f.ctx, first.ID) })
	if !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("deleting again: %v", err)
	}
}
