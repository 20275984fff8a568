package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"mbl/internal/cloud"
)

// changesAtOnceAreIndependent runs a hundred changes at the same time. Most
// succeed, some fail after they wrote, some panic, some lose their caller:
// each is there afterwards exactly if it was said to be.
func changesAtOnceAreIndependent(t *testing.T, f *fixture) {
	const changes = 100
	failure := errors.New("no")
	results := make([]error, changes)
	var group sync.WaitGroup
	for i := range changes {
		group.Go(func() {
			ctx, giveUp := context.WithCancel(f.ctx)
			defer giveUp()
			defer func() {
				if thrown := recover(); thrown != nil {
					results[i] = fmt.Errorf("panic: %v", thrown)
				}
			}()
			results[i] = f.Update(ctx, func(w cloud.Writer) error {
				if err := w.InsertDevice(ctx, numbered(i)); err != nil {
					return err
				}
				switch i % 10 {
				case 3:
					return failure
				case 5:
					panic("of a change")
				case 7:
					giveUp()
					return w.UpdateDevice(ctx, numbered(i))
				}
				return nil
			})
			if results[i] == nil {
				_, results[i] = f.Device(f.ctx, numbered(i).ID) // what was answered is there
			}
		})
	}
	group.Wait()
	for i, err := range results {
		_, missing := f.Device(f.ctx, numbered(i).ID)
		if fails := slices.Contains([]int{3, 5, 7}, i%10); fails != (err != nil) || fails != errors.Is(missing, cloud.ErrNotFound) {
			t.Errorf("change %d ended with %v, reading with %v", i, err, missing)
		}
		if i%10 == 3 && !errors.Is(err, failure) || i%10 == 7 && !errors.Is(err, context.Canceled) {
			t.Errorf("change %d's own error became %v", i, err)
		}
	}
	f.insertDevices(t, device("a1", "d1")) // and the store still works
}

func numbered(i int) *cloud.Device { return device("a1", fmt.Sprintf("d%04d", i)) }

// waitingChangeGivesUp: whoever waits behind another change is let go when
// its context ends, and its change does not happen.
func waitingChangeGivesUp(t *testing.T, f *fixture) {
	started, proceed := make(chan struct{}), make(chan struct{})
	first := make(chan error)
	go func() {
		first <- f.Update(f.ctx, func(w cloud.Writer) error {
			close(started)
			<-proceed
			return w.InsertDevice(f.ctx, device("a1", "d1"))
		})
	}()
	<-started
	ctx, giveUp := context.WithCancel(f.ctx)
	second := make(chan error)
	go func() {
		second <- f.Update(ctx, func(w cloud.Writer) error { return w.InsertDevice(f.ctx, device("a1", "d2")) })
	}()
	giveUp()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("giving up ended with %v", err)
	}
	close(proceed)
	if err := <-first; err != nil {
		t.Error(err)
	}
	same(t, device("a1", "d1"))(f.Device(f.ctx, id("d1")))
	if _, err := f.Device(f.ctx, id("d2")); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("the change that was given up is there: %v", err)
	}
}

// standingFollowsEveryChange: no revocation may be seen late.
func standingFollowsEveryChange(t *testing.T, f *fixture) {
	issued, entry, trusted := deviceCertificate("a1", "d1", "fp"), device("a1", "d1"), certificate("a1", "c1")
	f.change(t, func(w cloud.Writer) error { return w.InsertDeviceCertificate(f.ctx, issued) })
	missing := func(when string) {
		t.Helper()
		if _, err := f.Standing(f.ctx, "fp"); !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%s: %v", when, err)
		}
	}
	missing("without a device")
	f.insertDevices(t, entry)
	wanted := &cloud.Standing{
		Device: cloud.Identity{AccountID: entry.AccountID, DeviceID: entry.ID, EndpointName: entry.EndpointName},
		Status: cloud.CertificateActive, NotAfter: issued.NotAfter,
	}
	same(t, wanted)(f.Standing(f.ctx, "fp")) // its trusted certificate is missing
	f.change(t, func(w cloud.Writer) error { return w.InsertCertificate(f.ctx, trusted) })
	wanted.TrustedCertificate = true
	same(t, wanted)(f.Standing(f.ctx, "fp"))
	f.change(t, func(w cloud.Writer) error { return w.RevokeDeviceCertificates(f.ctx, entry.ID, noon) })
	wanted.Status = cloud.CertificateRevoked
	same(t, wanted)(f.Standing(f.ctx, "fp"))

	trusted.Active = false // which is a matter of bootstraps
	f.change(t, func(w cloud.Writer) error { return w.UpdateCertificate(f.ctx, trusted) })
	same(t, wanted)(f.Standing(f.ctx, "fp"))
	trusted.Service = cloud.LwM2MService
	f.change(t, func(w cloud.Writer) error { return w.UpdateCertificate(f.ctx, trusted) })
	wanted.TrustedCertificate = false
	same(t, wanted)(f.Standing(f.ctx, "fp"))

	entry.CertificateID = "" // it came without
	f.change(t, func(w cloud.Writer) error { return w.UpdateDevice(f.ctx, entry) })
	wanted.TrustedCertificate = true
	same(t, wanted)(f.Standing(f.ctx, "fp"))
	f.change(t, func(w cloud.Writer) error { return w.DeleteDevice(f.ctx, entry.ID) })
	missing("after the device was deleted")
}
