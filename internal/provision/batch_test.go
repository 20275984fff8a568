package provision

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"

	"mbl/internal/credential"
	"mbl/internal/ssh"
)

// sideBySide provisions devices of a batch at the same time.
func (d *desk) sideBySide(batch *Batch, again bool, devices ...*fakeDevice) ([]*Result, []error) {
	results, errs := make([]*Result, len(devices)), make([]error, len(devices))
	var working sync.WaitGroup
	for i, device := range devices {
		working.Go(func() {
			results[i], errs[i] = batch.Provision(d.t.Context(), Job{Again: again, Connect: func(context.Context) (Connection, error) {
				if device == nil {
					return nil, ssh.ErrUnreachable
				}
				return device, nil
			}})
		})
	}
	working.Wait()
	return results, errs
}

// with is a device that says which certificate it has.
func (d *desk) with(state State) *fakeDevice {
	text, err := json.Marshal(state)
	if err != nil {
		d.t.Fatal(err)
	}
	return &fakeDevice{desk: d, state: string(text)}
}

func (d *desk) times(what string) int {
	count := 0
	for _, did := range d.journal {
		if did == what {
			count++
		}
	}
	return count
}

func TestManyDevicesShareOneNewCertificate(t *testing.T) {
	d := newDesk(t)
	batch, err := d.Resume(t.Context(), createPlan())
	if err != nil {
		t.Fatal(err)
	}
	results, errs := d.sideBySide(batch, false, nil, &fakeDevice{desk: d}, &fakeDevice{desk: d, refuse: true}, &fakeDevice{desk: d})
	if !errors.Is(errs[0], ssh.ErrUnreachable) || errs[1] != nil || !errors.Is(errs[2], ErrToolFailed) || errs[3] != nil {
		t.Errorf("ended with %v", errs)
	}
	if d.times("create boards") != 1 || d.times("send") != 3 || results[1].EndpointName != results[3].EndpointName {
		t.Errorf("it did %q", d.journal)
	}
	d.assertStored("boards")
}

func TestNothingIsCreatedWhenNoDeviceOfManyAnswers(t *testing.T) {
	d := newDesk(t)
	batch, err := d.Resume(t.Context(), createPlan())
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := d.sideBySide(batch, false, nil, nil); slices.Contains(errs, nil) {
		t.Errorf("ended with %v", errs)
	}
	d.assertJournal()
	d.assertStored()
}

func TestWithoutACertificateNoDeviceIsProvisioned(t *testing.T) {
	d := newDesk(t)
	d.service.otherNames = []string{"boards"}
	batch, err := d.Resume(t.Context(), createPlan())
	if err != nil {
		t.Fatal(err)
	}
	_, errs := d.sideBySide(batch, false, &fakeDevice{desk: d}, &fakeDevice{desk: d})
	for _, err := range errs {
		var certificates *CertificateError
		if !errors.As(err, &certificates) || !errors.Is(err, ErrNameTaken) {
			t.Errorf("ended with %v", err)
		}
	}
	d.assertJournal("create boards")
	d.assertStored()
}

func TestARepetitionDoesOnlyWhatIsLeft(t *testing.T) {
	d := newDesk(t)
	d.hasDeveloper("boards")
	developer, err := credential.ParseDeveloper([]byte(vector(t, developerVector)))
	if err != nil {
		t.Fatal(err)
	}
	mine := State{Provisioned: true, EndpointName: developer.EndpointName, AccountID: developer.AccountID}
	other, broken := mine, mine
	other.EndpointName = "00000000000000000000000000000000"
	broken.Problem = "the private key is missing"
	for _, test := range []struct {
		what    string
		device  *fakeDevice
		again   bool
		already bool
	}{
		{"it has it", d.with(mine), false, true},
		{"it has it, again", d.with(mine), true, false},
		{"it has another", d.with(other), false, false},
		{"it lacks something", d.with(broken), false, false},
		{"it never had any", d.with(State{}), false, false},
		{"it does not say", &fakeDevice{desk: d}, false, false},
	} {
		batch, err := d.Resume(t.Context(), createPlan()) // as it was typed the first time
		if err != nil {
			t.Fatal(err)
		}
		results, errs := d.sideBySide(batch, test.again, test.device)
		if errs[0] != nil || results[0].Already != test.already || results[0].Sent == test.already {
			t.Errorf("%s: %+v, %v", test.what, results[0], errs[0])
		}
	}
	if d.times("create boards") != 0 {
		t.Errorf("it did %q", d.journal)
	}
}
