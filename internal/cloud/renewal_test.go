package cloud_test

import (
	"strings"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func TestADeviceIsAskedToBootstrapBeforeItsCertificateEnds(t *testing.T) {
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		path    string
		links   string
		version string // lwm2m
		client  string // mccv
	}{
		"the original client":        {"", "/1/0 /1/0/8 /3/0/0", "1.0", "4.13.2"},
		"one that lists the trigger": {"1/0/9", "/1/0 /1/0/8 /1/0/9", "1.0", "mbl-1"},
		"a standard client":          {"1/3/9", "/1/3 /3/0", "1.1", ""},
		"an older standard client":   {"", "/1/3 /3/0", "1.0", ""},
		"one without a server":       {"", "/3/0", "1.1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.addKey(keyIdentity, keySecret)
			grant, err := h.Bootstrap(h.ctx, h.keyRequest(keyIdentity, ""))
			if err != nil {
				t.Fatal(err)
			}
			if err := h.BootstrapFinished(h.ctx, grant); err != nil {
				t.Fatal(err)
			}
			issued := parse(t, grant.DeviceCertificate)
			device, err := h.RecognizeDevice(h.ctx, issued)
			if err != nil {
				t.Fatal(err)
			}
			registration := cloud.Registration{EndpointName: device.EndpointName, LwM2MVersion: test.version, ClientVersion: test.client}
			for _, path := range strings.Fields(test.links) {
				registration.Links = append(registration.Links, cloud.Link{Path: path})
			}
			if _, err := h.Register(h.ctx, device, registration); err != nil {
				t.Fatal(err)
			}
			for _, left := range []struct {
				time time.Duration
				path string
			}{{31 * day, ""}, {29 * day, test.path}} {
				h.wait(issued.NotAfter.Sub(h.now()) - left.time)
				path, err := h.RenewalTrigger(h.ctx, device, issued)
				if err != nil || strings.Join(path, "/") != left.path {
					t.Errorf("%v before its end: %v, %v", left.time, path, err)
				}
			}
		})
	}
}

func TestADeviceThatWouldBecomeAnotherIsNotAsked(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	device, issued := h.device(certificate, "")
	links := []cloud.Link{{Path: "/1/0/9"}}
	if _, err := h.Register(h.ctx, device, cloud.Registration{EndpointName: device.EndpointName, LwM2MVersion: "1.1", Links: links}); err != nil {
		t.Fatal(err)
	}
	h.wait(issued.NotAfter.Sub(h.now()) - time.Hour)
	if path, err := h.RenewalTrigger(h.ctx, device, issued); path != nil || err != nil {
		t.Errorf("it is asked for %v, %v", path, err)
	}
}
