package device_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/coap"
	"mbl/internal/device"
	"mbl/internal/lwm2m"
)

func TestAStopWhileARegistrationIsUnderWayTakesItBack(t *testing.T) {
	inMemoryWith(t, func(s *service) {
		s.registerFor = 3 * time.Second
	}, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "registering device-1")
		d.stop()
		s.wait("register device-1: 2.01", "deregister device-1")
	})
}

func TestAStopIsNotHeldUpByAServerThatNeverAnswers(t *testing.T) {
	inMemoryWith(t, func(s *service) {
		s.registerFor = time.Hour
	}, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "registering device-1")
		asked := time.Now()
		d.stop()
		if took := time.Since(asked); took > 10*time.Second {
			t.Errorf("it took %v to stop", took)
		}
		s.set(func() { s.registerFor = 0 })
		time.Sleep(time.Hour) // the server's goroutines end
	})
}

func TestADisabledServerIsLeftAloneForAsLongAsItSaid(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		request := func(code coap.Code, path []string, payload string) coap.Code {
			return s.do(&coap.Request{Code: code, Path: path, Payload: []byte(payload)}).Code
		}
		if code := request(coap.PUT, []string{"1", "0", "5"}, "5400"); code != coap.Changed {
			t.Errorf("write /1/0/5: %v", code)
		}
		if code := request(coap.POST, []string{"1", "0", "4"}, ""); code != coap.Changed {
			t.Errorf("execute /1/0/4: %v", code)
		}
		s.wait("deregister device-1")
		disabled := time.Now()
		s.wait("register device-1: 2.01")
		if after := time.Since(disabled).Round(time.Second); after != 90*time.Minute {
			t.Errorf("registered again after %v", after)
		}
	})
}

func TestTheServerHasTheDeviceBootstrapAgain(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		if code := s.do(&coap.Request{Code: coap.POST, Path: []string{"1", "0", "9"}}).Code; code != coap.Changed {
			t.Errorf("execute /1/0/9: %v", code)
		}
		s.wait("deregister device-1", laterBootstrap, "register device-2: 2.01")
	})
}

func TestABootstrapThatTheServerAskedForAndThatFailsCostsNothing(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		s.set(func() { s.grant = func(*lwm2m.Security) *lwm2m.Security { return &lwm2m.Security{} } })
		if code := s.do(&coap.Request{Code: coap.POST, Path: []string{"1", "0", "9"}}).Code; code != coap.Changed {
			t.Errorf("execute /1/0/9: %v", code)
		}
		s.wait("deregister device-1", laterBootstrap, "device answers 4.00 to PUT /0", "register device-1: 2.01")
	})
}

// The Java SDK sends "120" as application/vnd.oma.lwm2m+json.
func TestAValueThatIsCalledJSONIsWritten(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		write := func(format uint16, payload string) coap.Code {
			return s.do(&coap.Request{Code: coap.PUT, Path: []string{"1", "0", "1"}, ContentFormat: &format, Payload: []byte(payload)}).Code
		}
		for payload, want := range map[string]coap.Code{
			`{"e":[{"n":"","v":120}]}`: coap.UnsupportedContentFormat,
			`[120]`:                    coap.UnsupportedContentFormat,
			`"120"`:                    coap.BadRequest,
		} {
			if code := write(lwm2m.FormatJSON, payload); code != want {
				t.Errorf("%s: %v, want %v", payload, code, want)
			}
		}
		if code := write(60, "120"); code != coap.UnsupportedContentFormat { // CBOR
			t.Errorf("CBOR: %v", code)
		}
		if code := write(lwm2m.FormatJSON, "120"); code != coap.Changed {
			t.Errorf("%v", code)
		}
		s.wait("update device-1 lt=120: 2.04")
	})
}

func TestAnInstanceIsWrittenWholeOrNotAtAll(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		write := func(code coap.Code, items ...lwm2m.TLV) coap.Code {
			payload, err := lwm2m.EncodeTLV(items...)
			must(t, err)
			return s.do(&coap.Request{Code: code, Path: []string{"1", "0"}, ContentFormat: format(lwm2m.FormatTLV), Payload: payload}).Code
		}
		for _, test := range []struct {
			items []lwm2m.TLV
			want  coap.Code
		}{
			{[]lwm2m.TLV{lwm2m.Integer(1, 120), lwm2m.Integer(0, 7)}, coap.MethodNotAllowed},
			{[]lwm2m.TLV{lwm2m.Integer(1, 120), lwm2m.Integer(99, 7)}, coap.NotFound},
			{[]lwm2m.TLV{lwm2m.Integer(1, 120), lwm2m.Text(5, "abc")}, coap.BadRequest},
		} {
			if code := write(coap.PUT, test.items...); code != test.want {
				t.Errorf("%v: %v, want %v", test.items, code, test.want)
			}
		}
		if got := string(s.do(&coap.Request{Code: coap.GET, Path: []string{"1", "0", "1"}}).Payload); got != "3600" {
			t.Errorf("half of it was written: lifetime %s", got)
		}
		if code := write(coap.POST, lwm2m.Integer(1, 120), lwm2m.Integer(5, 60)); code != coap.Changed {
			t.Errorf("%v", code)
		}
		s.wait("update device-1 lt=120: 2.04")
	})
}

func TestARebootIsTheConfiguredOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store := newService(t), newStore(t)
		s.patience = day
		must(t, device.Provision(store, s.kit(t).folder(t)))
		start(t, store, func(cfg *device.Config) {
			cfg.Dial = s.dial
			cfg.Reboot = func() error { s.record("reboot"); return nil }
		})
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		if code := s.do(&coap.Request{Code: coap.POST, Path: []string{"3", "0", "4"}}).Code; code != coap.Changed {
			t.Errorf("execute /3/0/4: %v", code)
		}
		s.wait("reboot")
	})
}

// withNetwork starts a device that is told when its network changes.
func withNetwork(t *testing.T, prepare func(s *service), test func(t *testing.T, s *service, changed chan<- struct{})) {
	synctest.Test(t, func(t *testing.T) {
		s, store := newService(t), newStore(t)
		s.patience = day
		prepare(s)
		must(t, device.Provision(store, s.kit(t).folder(t)))
		changed := make(chan struct{})
		start(t, store, func(cfg *device.Config) { cfg.Dial, cfg.NetworkChanged = s.dial, changed })
		test(t, s, changed)
	})
}

func TestANetworkThatComesBackEndsALongWaitForIt(t *testing.T) {
	withNetwork(t, func(s *service) {
		s.dialError = func(string) error { return errNoNetwork }
	}, func(t *testing.T, s *service, changed chan<- struct{}) {
		for range 10 {
			s.wait("no connection to " + bootstrapAddress)
		}
		s.set(func() { s.dialError = nil })
		changed <- struct{}{}
		back := time.Now()
		s.wait(firstBootstrap, "register device-1: 2.01")
		if took := time.Since(back); took == 0 || took > 10*time.Second {
			t.Errorf("it took %v, want a random part of the first pause", took)
		}
	})
}

func TestAFlappingNetworkDoesNotMakeItHurry(t *testing.T) {
	withNetwork(t, func(s *service) {
		s.dialError = func(string) error { return errNoNetwork }
	}, func(t *testing.T, s *service, changed chan<- struct{}) {
		for range 12 {
			s.wait("no connection to " + bootstrapAddress)
		}
		flapping := time.Now()
		tries := 0
		for time.Since(flapping) < time.Hour {
			select {
			case changed <- struct{}{}:
			default:
			}
			time.Sleep(time.Second)
		}
		s.set(func() {
			tries = len(s.events)
			s.events = nil
			s.dialError = nil
		})
		if tries > 720 { // one each 5 s, the middle of the random pause
			t.Errorf("%d attempts in an hour", tries)
		}
	})
}

func TestARefusedDeviceWaitsThoughTheNetworkChanges(t *testing.T) {
	withNetwork(t, func(s *service) {
		s.onRegister = func() coap.Code { return coap.Forbidden }
	}, func(t *testing.T, s *service, changed chan<- struct{}) {
		s.wait(firstBootstrap, "register device-1: 4.03")
		refused := time.Now()
		synctest.Wait()
		changed <- struct{}{}
		s.wait("bootstrap ep=" + endpoint + " aid=" + accountID + " iep=device-1 mccv=mbl-test")
		if delay := time.Since(refused).Round(time.Second); delay != time.Minute {
			t.Errorf("bootstrap after %v, want the middle of 20 to 100 s", delay)
		}
	})
}

// The clock of a bubble begins in 2000: a device that was never told the time.
func TestADeviceWithoutAClockTakesCertificatesOfAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if time.Now().Year() > 2016 {
			t.Fatal("the clock is set")
		}
		s, store := newService(t), newStore(t)
		must(t, device.Provision(store, s.kit(t).folder(t)))
		report := device.Verify(store, time.Now())
		if report.Problem != nil {
			t.Errorf("not usable without a clock: %v", report.Problem)
		}
		if !slices.ContainsFunc(report.Warnings, func(f device.Finding) bool { return f.Text == "Certificate validity cannot be checked:" }) {
			t.Errorf("warnings %v", report.Warnings)
		}
	})
}
