// Package storetest is the suite every implementation of cloud.Store must
// pass. The tests of the implementations call it.
package storetest

import (
	"context"
	"testing"

	"mbl/internal/cloud"
)

// Run runs the suite. open makes an empty store, which it closes when the
// test ends.
func Run(t *testing.T, open func(t *testing.T) cloud.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"what is inserted is read back unchanged", insertedIsReadBack},
		{"what is changed is read back changed", changedIsReadBack},
		{"what is missing is not found", missingIsNotFound},
		{"what must be unique is a conflict", uniqueIsConflict},
		{"a failed change leaves nothing behind", failedChangeLeavesNothing},
		{"a change sees itself, others see it afterwards", changeIsIsolated},
		{"writers at the same time all succeed", writersQueue},
		{"changes at the same time do not touch each other", changesAtOnceAreIndependent},
		{"a change that waits can be given up", waitingChangeGivesUp},
		{"a device's standing follows every change", standingFollowsEveryChange},
		{"a list is read page by page, in both directions", listIsPaged},
		{"a list shows one account", listIsOfAccount},
		{"old events are deleted", eventsEnd},
		{"conditions choose devices", conditionsChooseDevices},
		{"conditions choose certificates", conditionsChooseCertificates},
		{"conditions choose API keys", conditionsChooseAPIKeys},
		{"audit records are kept and forgotten", auditIsKept},
		{"certificates that end soon are counted", endingIsCounted},
		{"custom attributes are found as they are now", attributesAreFound},
		{"an unknown field is an error", unknownFieldFails},
		{"device groups have members", groupsHaveMembers},
		{"a group lists its devices", groupListsDevices},
		{"device queries are kept", queriesAreKept},
		{"the length of a list is known", lengthsAreKnown},
		{"a deleted device takes its registration along", deletedDeviceTakesRegistration},
		{"registrations end", registrationsEnd},
		{"device certificates are revoked and collected", deviceCertificatesEnd},
		{"uploaded certificates are changed, and authorities found", authoritiesAreFound},
		{"pre-shared keys are kept, listed and deleted", sharedKeysAreKept},
		{"the issuer of an account is kept", issuerIsKept},
		{"a device is suspended and resumed", suspensionIsKept},
		{"denials are kept, the latest ones", denialsAreKept},
		{"claims to devices are kept until they end", claimsAreKept},
		{"renewals of certificates are kept until they are old", renewalsAreKept},
		{"subscriptions end with their key and their device", subscriptionsEnd},
		{"a key has one notification channel", channelsAreKept},
		{"what waits for a key ends with it", backlogsAreKept},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newFixture(t, open(t))) })
	}
}

// fixture is a store with one account in it.
type fixture struct {
	cloud.Store
	ctx     context.Context
	account *cloud.Account
}

func newFixture(t *testing.T, store cloud.Store) *fixture {
	t.Helper()
	f := &fixture{Store: store, ctx: t.Context(), account: account("a1")}
	f.change(t, func(w cloud.Writer) error { return w.InsertAccount(f.ctx, f.account) })
	return f
}

// change runs a change that must succeed.
func (f *fixture) change(t *testing.T, change func(cloud.Writer) error) {
	t.Helper()
	if err := f.Update(f.ctx, change); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) insertDevices(t *testing.T, devices ...*cloud.Device) {
	t.Helper()
	f.change(t, func(w cloud.Writer) error {
		for _, device := range devices {
			if err := w.InsertDevice(f.ctx, device); err != nil {
				return err
			}
		}
		return nil
	})
}
