package cloudapp_test

import (
	"testing"

	"mbl/internal/coap"
)

// What a device was told holds after a kill: its credentials, its
// registration, and the end of it. So no kill makes a device bootstrap again.
func TestNothingADeviceWasToldIsLostByAKill(t *testing.T) {
	data := t.TempDir()
	ports := keptPorts(t)
	r := serve(t, data, ports...)
	key := r.key
	restart := func() {
		r.kill()
		r = serve(t, data, ports...)
		r.key = key
	}
	developer := r.developer("a")
	first := accountOf(t, developer)
	for range 3 {
		device := first.bootstrap(t, developer, first.connectUDP(t))
		restart()
		session := device.open(t)
		response, err := session.Do(limit(t), registration(developer))
		if err != nil || response.Code != coap.Created {
			t.Fatalf("with its credentials: %v, %v", response, err)
		}
		location := response.LocationPath
		restart()
		response, err = device.open(t).Do(limit(t), &coap.Request{Code: coap.POST, Path: location})
		if err != nil || response.Code != coap.Changed {
			t.Errorf("its registration: %v, %v", response, err)
		}
		response, err = device.open(t).Do(limit(t), &coap.Request{Code: coap.DELETE, Path: location})
		if err != nil || response.Code != coap.Deleted {
			t.Errorf("its end: %v, %v", response, err)
		}
		restart()
		response, err = device.open(t).Do(limit(t), &coap.Request{Code: coap.POST, Path: location})
		if err != nil || response.Code != coap.NotFound {
			t.Errorf("an update of what has ended: %v, %v", response, err)
		}
	}
	r.stop()
}

// open connects and serves a session until the test ends.
func (a *account) open(t *testing.T) *coap.Session {
	t.Helper()
	session := coap.NewSession(a.connectUDP(t), nil, coap.SessionConfig{})
	go func() { _ = session.Serve(t.Context()) }()
	return session
}
