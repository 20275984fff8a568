package lwm2m

import (
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/coap"
)

func TestASessionOfWhichNothingIsHeardEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServers(t, &fakeService{})
		s.management.grace = time.Second
		<-s.arrive(management, nil).ended
		if s.ctx.Err() != nil {
			t.Error("its session ended with the service")
		}
	})
}

func TestADeviceThatVanishedIsForgottenWhenItsRegistrationHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		service := &fakeService{ends: []time.Time{now.Add(5 * time.Second), now.Add(10 * time.Second)}}
		s := newServers(t, service)
		s.management.grace = 2 * time.Second
		device := s.arrive(management, nil)
		device.expect(s.ctx, coap.POST, "rd?ep=endpoint&lt=60", "</3/0>", coap.Created)
		<-device.ended
		service.mu.Lock()
		defer service.mu.Unlock()
		if len(service.ends) > 0 {
			t.Error("it ended while the device was registered")
		}
		if time.Since(now) < 10*time.Second {
			t.Error("it ended before the registration did")
		}
		if s.ctx.Err() != nil {
			t.Error("it ended with the service")
		}
		if s.management.find(deviceID) != nil {
			t.Error("the device still counts as connected")
		}
	})
}
