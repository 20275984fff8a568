package device_test

import (
	"context"
	"crypto/x509"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"mbl/internal/device"
	"mbl/internal/pki"
)

// overDTLS starts a provisioned device that reaches the service over real
// DTLS on loopback. verify decides about its LwM2M certificates.
func overDTLS(t *testing.T, verify func(context.Context, *x509.Certificate) error) (*service, *running) {
	s, store := newService(t), newStore(t)
	bootstrap, lwm2m := s.listen(verify)
	s.lwm2mURI = "coaps://" + lwm2m.String() + "?aid=" + accountID
	kit := newKit(t, "coaps://"+bootstrap.String()+"?aid="+accountID, s.bootstrapCA.Certificate.Raw)
	must(t, device.Provision(store, kit.folder(t)))
	return s, start(t, store, func(cfg *device.Config) { cfg.RetryBase = 10 * time.Millisecond })
}

func TestOverDTLS(t *testing.T) {
	s, d := overDTLS(t, nil)
	s.wait(firstBootstrap, "register device-1: 2.01")
	d.waitRegistered(t)
	d.stop()
	s.wait("deregister device-1")
}

func TestACertificateRefusedInTheHandshakeMeansANewBootstrap(t *testing.T) {
	var refusals atomic.Int32
	s, _ := overDTLS(t, func(_ context.Context, cert *x509.Certificate) error {
		if pki.DeviceNameOf(cert).DeviceID == "device-1" {
			refusals.Add(1)
			return errors.New("revoked")
		}
		return nil
	})
	s.wait(firstBootstrap,
		laterBootstrap, "register device-2: 2.01")
	if n := refusals.Load(); n != 1 {
		t.Errorf("the refused certificate was presented %d times", n)
	}
}

func TestAServerOfAnotherCAMeansANewBootstrap(t *testing.T) {
	s, store := newService(t), newStore(t)
	bootstrap, _ := s.listen(nil)
	_, stranger := newService(t).listen(nil)
	s.lwm2mURI = "coaps://" + stranger.String() + "?aid=" + accountID
	kit := newKit(t, "coaps://"+bootstrap.String()+"?aid="+accountID, s.bootstrapCA.Certificate.Raw)
	must(t, device.Provision(store, kit.folder(t)))
	start(t, store, func(cfg *device.Config) { cfg.RetryBase = 10 * time.Millisecond })
	s.wait(firstBootstrap, laterBootstrap)
}
