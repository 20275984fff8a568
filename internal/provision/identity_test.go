package provision

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"mbl/internal/credential"
)

func ownPlan() Plan {
	return Plan{Certificate: "boards", Create: true, PerDevice: true, Update: updateVector}
}

func TestEachDeviceGetsAKeyOfItsOwn(t *testing.T) {
	d := newDesk(t)
	batch, err := d.Resume(t.Context(), ownPlan())
	if err != nil {
		t.Fatal(err)
	}
	one, two := &fakeDevice{desk: d}, &fakeDevice{desk: d}
	results, errs := d.sideBySide(batch, false, one, two)
	if errors.Join(errs...) != nil || results[0].EndpointName == results[1].EndpointName || results[0].OwnID == results[1].OwnID {
		t.Errorf("ended with %+v, %+v, %v", results[0], results[1], errs)
	}
	if d.times("create boards") != 1 || d.times("sign") != 2 {
		t.Errorf("it did %q", d.journal)
	}
	for _, request := range d.service.signed {
		if request.DeveloperCertificateID != "boards" || strings.Contains(request.CertificateRequest, "PRIVATE") {
			t.Errorf("it asked for %+v", request)
		}
	}
	shared, err := d.stores.LoadDeveloper(t.Context(), "boards")
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range []*fakeDevice{one, two} {
		if device.script == "" || strings.Contains(device.script, base64.StdEncoding.EncodeToString(shared.PrivateKey)) {
			t.Error("the shared key went to a device")
		}
	}
}

func TestADeviceWithACertificateOfItsOwnIsLeftAloneOrKeepsItsName(t *testing.T) {
	d := newDesk(t)
	d.hasDeveloper("boards")
	d.service.certificates["boards"] = vector(t, developerVector)
	developer, err := credential.ParseDeveloper([]byte(vector(t, developerVector)))
	if err != nil {
		t.Fatal(err)
	}
	own := State{Provisioned: true, EndpointName: "own-7", AccountID: developer.AccountID}
	shared, broken := own, own
	shared.EndpointName = developer.EndpointName
	broken.Problem = "the private key is missing"
	for _, test := range []struct {
		what    string
		device  *fakeDevice
		again   bool
		already bool
	}{
		{"it has its own", d.with(own), false, true},
		{"it has its own, again", d.with(own), true, false},
		{"it has the shared one", d.with(shared), false, false},
		{"it lacks something", d.with(broken), false, false},
		{"it does not say", &fakeDevice{desk: d}, false, false},
	} {
		batch, err := d.Resume(t.Context(), ownPlan())
		if err != nil {
			t.Fatal(err)
		}
		before := len(d.service.signed)
		results, errs := d.sideBySide(batch, test.again, test.device)
		if errs[0] != nil || results[0].Already != test.already || (len(d.service.signed) == before) != test.already {
			t.Errorf("%s: %+v, %v", test.what, results[0], errs[0])
		}
		if test.again && d.service.signed[before].EndpointName != "own-7" {
			t.Errorf("%s: it is asked for as %q", test.what, d.service.signed[before].EndpointName)
		}
	}
}

func TestAServiceThatCannotSignIsFoundOutBeforeAnythingIsDone(t *testing.T) {
	d := newDesk(t)
	d.service.cannotSign = true
	if _, err := d.Run(t.Context(), ownPlan()); !errors.Is(err, ErrCannotSign) {
		t.Errorf("err = %v", err)
	}
	d.assertJournal()
	d.assertStored()
}

func TestTheDeveloperCertificateMustBeTheServices(t *testing.T) {
	d := newDesk(t)
	d.hasDeveloper("boards")
	plan := ownPlan()
	plan.Create = false
	if _, err := d.Run(t.Context(), plan); !errors.Is(err, ErrOtherDeveloper) {
		t.Errorf("err = %v", err)
	}
	d.assertJournal()
}
