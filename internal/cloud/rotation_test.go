package cloud_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/pki"
)

func (h *house) authority(name cloud.AuthorityName) *x509.Certificate {
	h.t.Helper()
	der, err := h.AuthorityCertificate(h.ctx, name)
	if err != nil {
		h.t.Fatal(err)
	}
	certificate, err := pki.ParseCertificate(der)
	if err != nil {
		h.t.Fatal(err)
	}
	return certificate
}

func (h *house) rotate(name cloud.AuthorityName) {
	h.t.Helper()
	if err := h.RotateAuthority(h.ctx, name); err != nil {
		h.t.Fatal(err)
	}
	h.start()
}

func TestDevicesStayRecognisedWhenWhatIssuedTheirCertificatesIsRotated(t *testing.T) {
	h := newHouse(t)
	developer, certificate := h.certificate("a")
	device, presented := h.device(certificate, "")
	_, own := h.identity(developer, "b")
	old := h.authority(cloud.DeviceAuthority)
	h.wait(time.Second)
	h.rotate(cloud.DeviceAuthority)
	h.rotate(cloud.IdentityAuthority)
	if h.authority(cloud.DeviceAuthority).Equal(old) {
		t.Fatal("the authority is the same")
	}
	if got, err := h.RecognizeDevice(h.ctx, presented); err != nil || got != device {
		t.Errorf("the device is %+v, %v", got, err)
	}
	if err := h.RecognizeBootstrap(h.ctx, own, nil, remoteAddr); err != nil {
		t.Errorf("the device's own bootstrap certificate: %v", err)
	}
	_, later := h.device(certificate, "")
	if err := later.CheckSignatureFrom(h.authority(cloud.DeviceAuthority)); err != nil {
		t.Errorf("a certificate issued later: %v", err)
	}
}

func TestDevicesOfARotatedServerAuthorityAreStillServed(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	old := h.authority(cloud.LwM2MAuthority)
	h.device(certificate, "")
	h.wait(time.Second)
	h.rotate(cloud.LwM2MAuthority)

	if h.authority(cloud.LwM2MAuthority).Equal(old) || !h.authority(cloud.EarlierLwM2MAuthority).Equal(old) {
		t.Fatal("the earlier authority is not kept")
	}
	made, err := h.ServerCertificate(cloud.EarlierLwM2MAuthority, []string{"cloud.example"}, pki.DistantPast, pki.DistantFuture)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Leaf.CheckSignatureFrom(old); err != nil {
		t.Errorf("a device from before would not trust the server: %v", err)
	}
	grant := h.begin(certificate, "")
	if !bytes.Equal(grant.ServerCA, h.authority(cloud.LwM2MAuthority).Raw) {
		t.Error("a new device is given the earlier authority")
	}
	if err := h.RotateAuthority(h.ctx, cloud.LwM2MAuthority); !errors.Is(err, cloud.ErrConflict) {
		t.Errorf("rotated again, which would forget the earlier one: %v", err)
	}
}

func TestAnAuthorityIsRetiredWhenNoDeviceNeedsIt(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, _ := h.device(certificate, "")
	if err := h.RetireAuthority(h.ctx, cloud.LwM2MAuthority, false); !errors.Is(err, cloud.ErrNotFound) {
		t.Errorf("nothing was rotated: %v", err)
	}
	h.wait(time.Second)
	h.rotate(cloud.LwM2MAuthority)
	h.wait(time.Second)
	if err := h.RetireAuthority(h.ctx, cloud.LwM2MAuthority, false); !errors.Is(err, cloud.ErrConflict) {
		t.Errorf("a device needs it: %v", err)
	}
	states, err := h.AuthorityStates(h.ctx)
	if err != nil || len(states) != 6 || states[4].Name != cloud.EarlierLwM2MAuthority || states[4].Devices != 1 {
		t.Errorf("the authorities are %+v, %v", states, err)
	}
	h.device(certificate, device.DeviceID) // bootstraps again
	if err := h.RetireAuthority(h.ctx, cloud.LwM2MAuthority, false); err != nil {
		t.Errorf("no device needs it: %v", err)
	}
	h.start()
	if h.HasAuthority(cloud.EarlierLwM2MAuthority) {
		t.Error("it is still there")
	}
}

func TestUnknownAuthoritiesAreNotRotated(t *testing.T) {
	h := newHouse(t)
	for _, name := range []cloud.AuthorityName{"", "kings", cloud.EarlierLwM2MAuthority} {
		if err := h.RotateAuthority(h.ctx, name); !errors.Is(err, cloud.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestRotatingAndRetiringAnAuthorityIsOnRecord(t *testing.T) {
	h := newHouse(t)
	h.rotate(cloud.BootstrapAuthority)
	if err := h.RotateAuthority(h.ctx, cloud.BootstrapAuthority); !errors.Is(err, cloud.ErrConflict) {
		t.Fatal(err) // and leaves no record
	}
	if err := h.RetireAuthority(h.ctx, cloud.BootstrapAuthority, false); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := h.AuditRecords(h.ctx, time.Time{}, func(record *cloud.AuditRecord) error {
		got = append(got, record.RemoteAddr+": "+record.Action+" "+record.ObjectID)
		return nil
	})
	for _, want := range []string{"command line: rotate authority bootstrap", "command line: retire authority bootstrap-earlier"} {
		once := slices.Index(got, want)
		if err != nil || once < 0 || slices.Contains(got[once+1:], want) {
			t.Errorf("the audit shows %q, %v, not %q once", got, err, want)
		}
	}
}
