package device_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/coap"
	"mbl/internal/device"
	"mbl/internal/lwm2m"
)

const (
	firstBootstrap = "bootstrap ep=" + endpoint + " aid=" + accountID + " mccv=mbl-test"
	laterBootstrap = "bootstrap ep=" + endpoint + " aid=" + accountID + " iep=device-1 mccv=mbl-test"
	quarterHour    = 15 * time.Minute
	day            = 24 * time.Hour // of fake time
)

// inMemory starts a provisioned device with the service in memory, in a
// bubble of fake time.
func inMemory(t *testing.T, test func(t *testing.T, s *service, d *running)) {
	inMemoryWith(t, func(*service) {}, test)
}

// inMemoryWith prepares the service before the device starts.
func inMemoryWith(t *testing.T, prepare func(s *service), test func(t *testing.T, s *service, d *running)) {
	synctest.Test(t, func(t *testing.T) {
		s, store := newService(t), newStore(t)
		s.patience = day
		prepare(s)
		must(t, device.Provision(store, s.kit(t).folder(t)))
		test(t, s, start(t, store, func(cfg *device.Config) { cfg.Dial = s.dial }))
	})
}

func TestADeviceBootstrapsRegistersStaysAndSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store := newService(t), newStore(t)
		s.patience = day
		d := start(t, store, func(cfg *device.Config) { cfg.Dial = s.dial })
		time.Sleep(time.Hour)
		s.silent()
		if said := strings.Count(d.log.String(), "waiting for credentials"); said != 1 {
			t.Errorf("it says %d times that it waits", said)
		}

		must(t, device.Provision(store, s.kit(t).folder(t)))
		provisioned := time.Now()
		s.wait(firstBootstrap, "register device-1: 2.01")
		if took := time.Since(provisioned); took > 2*time.Second {
			t.Errorf("it took %v to notice the credentials", took)
		}
		if state := <-d.states; state != (device.State{Registered: true, DeviceID: "device-1"}) {
			t.Errorf("state %+v", state)
		}
		if got := device.ReadIdentity(store).DeviceID; got != "device-1" {
			t.Errorf("device id %q", got)
		}

		registered := time.Now()
		s.wait("update device-1: 2.04")
		if after := time.Since(registered).Round(time.Second); after != 45*time.Minute {
			t.Errorf("update after %v, want 75%% of the hour", after)
		}
		d.stop()
		s.wait("deregister device-1")
		if state := <-d.states; state.Registered {
			t.Error("it still says registered")
		}
	})
}

func TestTheRegistrationSaysWhatTheDirectoryShows(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		want := []string{
			"ep=" + endpoint, "et=default", "lt=3600", "lwm2m=1.0", "d=" + accountID, "b=U", "aid=" + accountID, "mccv=mbl-test",
		}
		if !slices.Equal(s.registration.Query, want) {
			t.Errorf("query %q\nwant  %q", s.registration.Query, want)
		}
		links, err := lwm2m.ParseLinks(string(s.registration.Payload))
		must(t, err)
		values := map[string]string{}
		for _, link := range links {
			values[link.Target], _ = link.Attribute("v")
		}
		for target, value := range map[string]string{
			"/1/0": "", "/1/0/1": "", "/1/0/8": "", "/3/0": "", "/3/0/4": "", "/4/0/4": "", "/10255": "", "/10255/0": "",
			"/3/0/0": "dev_manufacturer", "/3/0/1": "dev_model_num", "/3/0/2": "0", "/3/0/17": "dev_device_type",
			"/14/0/0": "MAIN", "/14/0/2": "0.0.0", "/10252/0/1": "", "/10252/0/2": "1", "/10252/0/3": "-1", "/10255/0/0": "4",
			"/10255/0/3": "dmVuZG9yLTE2LWJ5dGVzIQ==", "/10255/0/4": "Y2xhc3MtLTE2LWJ5dGVzIQ==",
		} {
			if got, ok := values[target]; !ok || got != value {
				t.Errorf("link %s: there %v, v=%q, want %q", target, ok, got, value)
			}
		}
		if *s.registration.ContentFormat != lwm2m.FormatLinks {
			t.Errorf("content format %d", *s.registration.ContentFormat)
		}
	})
}

// On a lossy network a bootstrap succeeds all the same, at once: the answer to
// the device's request need not arrive when all else does, and the server's
// repetitions are answered until it has heard that all is well.
// The original client goes when its last answer has been acknowledged.
func TestADeviceDoesNotWaitForItsBootstrapServerToClose(t *testing.T) {
	inMemoryWith(t, func(s *service) { s.staysOpen = true }, func(t *testing.T, s *service, d *running) {
		begin := time.Now()
		s.wait(firstBootstrap, "register device-1: 2.01")
		if took := time.Since(begin); took >= time.Second {
			t.Errorf("it registered after %v:\n%s", took, d.log)
		}
	})
}

func TestABootstrapOutlivesWhatItsNetworkLoses(t *testing.T) {
	for name, prepare := range map[string]func(s *service){
		"the server's answer":     func(s *service) { s.loseGrant = true },
		"the device's last words": func(s *service) { s.loseFinish = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			inMemoryWith(t, prepare, func(t *testing.T, s *service, d *running) {
				begin := time.Now()
				s.wait(firstBootstrap, "register device-1: 2.01")
				if took := time.Since(begin); took >= device.DefaultRetryBase {
					t.Errorf("it took %v:\n%s", took, d.log)
				}
			})
		})
	}
}

// TestAForeignServerIsToldNoResourceTypes: "Component Identity" is none by RFC
// 6690, and Leshan refuses the registration that has it.
func TestAForeignServerIsToldNoResourceTypes(t *testing.T) {
	for uri, want := range map[string]bool{
		"coaps://" + lwm2mAddress: false, "coaps://" + lwm2mAddress + "?aid=" + accountID: true,
	} {
		prepare := func(s *service) { s.lwm2mURI = uri }
		inMemoryWith(t, prepare, func(t *testing.T, s *service, _ *running) {
			s.wait(firstBootstrap, "register device-1: 2.01")
			if has := strings.Contains(string(s.registration.Payload), `rt="Component Identity"`); has != want {
				t.Errorf("%s is told resource types: %v, want %v", uri, has, want)
			}
		})
	}
}

func TestRefusedCredentialsAreForgottenAndBootstrappedAnew(t *testing.T) {
	for name, refuse := range map[string]struct {
		event string
		set   func(s *service)
	}{
		"register 4.03": {"register device-1: 4.03", func(s *service) { s.onRegister = func() coap.Code { return coap.Forbidden } }},
		"register 4.00": {"register device-1: 4.00", func(s *service) { s.onRegister = func() coap.Code { return coap.BadRequest } }},
		"certificate refused": {"no connection to " + lwm2mAddress, func(s *service) {
			s.dialError = func(address string) error { return onlyAt(lwm2mAddress, address, coap.ErrRefused) }
		}},
		"another server": {"no connection to " + lwm2mAddress, func(s *service) {
			s.dialError = func(address string) error { return onlyAt(lwm2mAddress, address, coap.ErrUntrusted) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, store := newService(t), newStore(t)
				s.patience = day
				must(t, device.Provision(store, s.kit(t).folder(t)))
				refuse.set(s)
				start(t, store, func(cfg *device.Config) { cfg.Dial = s.dial })
				s.wait(firstBootstrap, refuse.event)
				refused := time.Now()
				synctest.Wait()
				if _, err := store.Get(device.ItemLwM2MKey); err == nil {
					t.Error("the refused key is still stored")
				}
				s.wait(laterBootstrap)
				if delay := time.Since(refused).Round(time.Second); delay != time.Minute {
					t.Errorf("bootstrap after %v, want the middle of 20 to 100 s", delay)
				}
				s.wait(strings.Replace(refuse.event, "device-1", "device-2", 1))
				refusedAgain := time.Now()
				s.set(func() { s.onRegister, s.dialError = nil, nil })
				s.wait(strings.Replace(laterBootstrap, "device-1", "device-2", 1), "register device-3: 2.01")
				if delay := time.Since(refusedAgain).Round(time.Second); delay != 2*time.Minute {
					t.Errorf("second bootstrap after %v, want twice as long", delay)
				}
			})
		})
	}
}

func onlyAt(where, address string, err error) error {
	if address == where {
		return err
	}
	return nil
}

var errNoNetwork = errors.New("no network")

func TestAMissingServerIsTriedLessAndLessOftenAndCostsNoCredentials(t *testing.T) {
	inMemoryWith(t, func(s *service) {
		s.dialError = func(address string) error { return onlyAt(lwm2mAddress, address, errNoNetwork) }
	}, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap)
		var delays []time.Duration
		for last := time.Now(); len(delays) < 6; last = time.Now() {
			s.wait("no connection to " + lwm2mAddress)
			delays = append(delays, time.Since(last).Round(time.Second))
		}
		want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second}
		if !slices.Equal(delays, want) {
			t.Errorf("delays %v, want %v", delays, want)
		}
		s.set(func() { s.dialError = nil })
		s.wait("register device-1: 2.01")
	})
}

func TestABusyServerCostsNoCredentials(t *testing.T) {
	inMemoryWith(t, func(s *service) {
		s.onRegister = func() coap.Code { return coap.ServiceUnavailable }
	}, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 5.03", "register device-1: 5.03")
		s.set(func() { s.onRegister = nil })
		s.wait("register device-1: 2.01")
	})
}

func TestAServerThatLostItsMemoryIsNoticedWithinAMinute(t *testing.T) {
	for name, test := range map[string]struct {
		update coap.Code
		want   []string
	}{
		"it kept the registration": {coap.Changed, []string{"update device-1: 2.04"}},
		"it lost the registration": {coap.NotFound, []string{"update device-1: 4.04", "register device-1: 2.01"}},
	} {
		t.Run(name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, s *service, d *running) {
				s.wait(firstBootstrap, "register device-1: 2.01")
				d.waitRegistered(t)
				s.set(func() {
					s.lose = func([]byte) bool { return true } // the server knows the session no more
					s.onUpdate = func() coap.Code { return test.update }
				})
				gone := time.Now()
				if state := <-d.states; state.Registered {
					t.Fatalf("state %+v", state)
				}
				s.set(func() { s.lose = nil })
				if noticed := time.Since(gone); noticed > time.Minute {
					t.Errorf("noticed after %v", noticed)
				}
				s.wait(test.want...)
				if back := time.Since(gone); back > 75*time.Second {
					t.Errorf("back after %v", back)
				}
			})
		})
	}
}

func TestAClosedConnectionIsTakenUpWithAnUpdate(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		must(t, s.session.Close())
		closed := time.Now()
		s.wait("update device-1: 2.04")
		if back := time.Since(closed).Round(time.Second); back != 10*time.Second {
			t.Errorf("back after %v", back)
		}
	})
}

func TestARegistrationThatIsGoneIsNotTakenUpAgain(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		s.set(func() {
			s.onUpdate = func() coap.Code { return coap.NotFound }
			s.onRegister = func() coap.Code {
				s.onRegister = nil
				return coap.ServiceUnavailable
			}
		})
		must(t, s.session.Close())
		s.wait("update device-1: 4.04", "register device-1: 5.03", "register device-1: 2.01")
	})
}

func TestTheDeviceKeepsItsPathThroughNATsOpen(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		var longest time.Duration
		last := time.Now()
		s.set(func() {
			s.lose = func([]byte) bool { // called for every message of the device
				longest, last = max(longest, time.Since(last)), time.Now()
				return false
			}
		})
		time.Sleep(quarterHour)
		d.stop()
		if longest == 0 || longest > 30*time.Second {
			t.Errorf("silent for %v", longest)
		}
	})
}

func TestNewCredentialsWhileRunningMeanAFreshStart(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		d.waitRegistered(t)
		must(t, device.Provision(d.store, s.kit(t).folder(t)))
		provisioned := time.Now()
		s.wait("deregister device-1", firstBootstrap, "register device-2: 2.01")
		if took := time.Since(provisioned); took > 2*time.Second {
			t.Errorf("noticed after %v", took)
		}
	})
}

func TestNewCredentialsEndALongWait(t *testing.T) {
	inMemoryWith(t, func(s *service) {
		s.dialError = func(string) error { return errNoNetwork }
	}, func(t *testing.T, s *service, d *running) {
		for range 8 {
			s.wait("no connection to " + bootstrapAddress)
		}
		s.set(func() { s.dialError = nil })
		must(t, device.Provision(d.store, s.kit(t).folder(t)))
		provisioned := time.Now()
		s.wait(firstBootstrap, "register device-1: 2.01")
		if took := time.Since(provisioned); took > 2*time.Second {
			t.Errorf("it waited %v longer", took)
		}
	})
}

func TestARestartedDeviceRegistersWithoutBootstrap(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		d.waitRegistered(t)
		d.stop()
		s.wait("deregister device-1")
		start(t, d.store, func(cfg *device.Config) { cfg.Dial = s.dial })
		s.wait("register device-1: 2.01")
	})
}

func TestUnusableBootstrapDataIsRefusedWholeAndRetried(t *testing.T) {
	inMemoryWith(t, func(s *service) {
		s.grant = func(security *lwm2m.Security) *lwm2m.Security {
			security.PrivateKey = s.newGrant("other").PrivateKey
			return security
		}
	}, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "device answers 4.00 to POST /bs")
		failed := time.Now()
		if items := content(t, d.store); items[device.ItemLwM2MURI] != "" || items[device.ItemInternalEndpoint] != "" {
			t.Error("something of it was stored")
		}
		s.set(func() { s.grant = nil })
		s.wait(firstBootstrap, "register device-2: 2.01")
		if delay := time.Since(failed).Round(time.Second); delay < 10*time.Second || delay > 12*time.Second {
			t.Errorf("retried after %v", delay)
		}
	})
}

// Servers of the original's kind leave it to the device what happens next.
func TestAServerWhoseDataWasRefusedIsNotWaitedForLong(t *testing.T) {
	inMemoryWith(t, func(s *service) {
		s.staysOpen = true
		s.grant = func(security *lwm2m.Security) *lwm2m.Security {
			security.ServerURI = ""
			return security
		}
	}, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "device answers 4.00 to PUT /0")
		refused := time.Now()
		s.set(func() { s.grant = nil })
		s.wait(firstBootstrap, "register device-2: 2.01")
		if delay := time.Since(refused); delay > 30*time.Second {
			t.Errorf("tried again after %v", delay)
		}
	})
}

func TestTheServerReadsWritesAndExecutes(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		path := func(text string) []string { return strings.Split(text, "/") }
		for _, test := range []struct {
			code   coap.Code
			path   string
			accept *uint16
			want   string
		}{
			{coap.GET, "3/0/0", nil, "2.05 0 dev_manufacturer"},
			{coap.GET, "3/0/0", format(lwm2m.FormatTLV), "2.05 11542 \xc8\x00\x10dev_manufacturer"},
			{coap.GET, "3/0/0", format(lwm2m.FormatLinks), `2.05 40 </3/0/0>`},
			{coap.GET, "3/0/0", format(11543), "4.06"},
			{coap.GET, "3/0/16", nil, "2.05 0 U"},
			{coap.GET, "1/0/1", nil, "2.05 0 3600"},
			{coap.GET, "1/0", nil, "2.05 11542 \xc1\x00\x01\xc2\x01\x0e\x10\xc4\x05\x00\x01\x51\x80\xc1\x06\x01\xc1\x07U"},
			{coap.GET, "1", nil, "2.05 11542 \x08\x00\x13\xc1\x00\x01\xc2\x01\x0e\x10\xc4\x05\x00\x01\x51\x80\xc1\x06\x01\xc1\x07U"},
			{coap.GET, "3/0/11", nil, "2.05 11542 \x83\x0b\x41\x00\x00"},
			{coap.GET, "3/0/11/0", nil, "2.05 11542 \x41\x00\x00"},
			{coap.GET, "3/0/11/1", nil, "4.04"},
			{coap.GET, "3/0/11", format(0), "4.06"},
			{coap.GET, "3/0/14", nil, "2.05 0 " + time.Now().Format("-07:00")},
			{coap.GET, "10252/0/3", nil, "2.05 0 -1"},
			{coap.GET, "10252/0/1", nil, "4.05"},
			{coap.PUT, "10252/0/1", nil, "4.05"},
			{coap.POST, "10252/0/1", nil, "5.01 this device takes no firmware"},
			{coap.POST, "3/0/4", nil, "4.05 rebooting is not set up on this device"},
			{coap.GET, "1", format(0), "4.06"},
			{coap.GET, "10255/0/3", nil, "2.05 42 vendor-16-bytes!"},
			{coap.GET, "3/0/4", nil, "4.05"},
			{coap.GET, "3/0/99", nil, "4.04"},
			{coap.GET, "3/1", nil, "4.04"},
			{coap.GET, "0/0/5", nil, "4.04"},
			{coap.GET, "0", nil, "4.04"},
			{coap.GET, "x", nil, "4.04"},
			{coap.PUT, "3/0/0", nil, "4.05"},
			{coap.POST, "3/0/0", nil, "4.05"},
			{coap.DELETE, "3/0", nil, "4.05"},
			{coap.POST, "9/9", nil, "4.04"},
		} {
			response := s.do(&coap.Request{Code: test.code, Path: path(test.path), Accept: test.accept})
			got := response.Code.String()
			switch {
			case response.ContentFormat != nil:
				got += fmt.Sprintf(" %d %s", *response.ContentFormat, response.Payload)
			case len(response.Payload) > 0:
				got += fmt.Sprintf(" %s", response.Payload)
			}
			if got != test.want {
				t.Errorf("%v /%s: %q, want %q", test.code, test.path, got, test.want)
			}
		}
		core := s.do(&coap.Request{Code: coap.GET, Path: []string{".well-known", "core"}})
		if string(core.Payload) != string(s.registration.Payload) {
			t.Errorf(".well-known/core: %s", core.Payload)
		}

		if code := s.do(&coap.Request{Code: coap.POST, Path: path("1/0/8")}).Code; code != coap.Changed {
			t.Errorf("execute /1/0/8: %v", code)
		}
		s.wait("update device-1: 2.04")
	})
}

// As the original does: a server may wait for the answer and take nothing else
// for it.
func TestAWrittenLifetimeIsAnsweredBeforeTheUpdate(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		for i := range 50 {
			var sent []coap.Code
			s.set(func() {
				s.lose = func(message []byte) bool {
					sent = append(sent, coap.Code(message[1]))
					return false
				}
			})
			lifetime := strconv.Itoa(60 + i)
			s.do(&coap.Request{Code: coap.PUT, Path: []string{"1", "0", "1"}, Payload: []byte(lifetime)})
			s.wait("update device-1 lt=" + lifetime + ": 2.04")
			synctest.Wait()
			if wanted := []coap.Code{coap.Changed, coap.POST}; !slices.Equal(sent, wanted) {
				t.Fatalf("the device sent %v", sent)
			}
		}
	})
}

func TestALifetimeWrittenByTheServerHolds(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		synctest.Wait()
		write := func(text string) coap.Code {
			return s.do(&coap.Request{Code: coap.PUT, Path: []string{"1", "0", "1"}, Payload: []byte(text)}).Code
		}
		if code := write("59"); code != coap.NotAcceptable {
			t.Errorf("59 s: %v", code)
		}
		if code := write("much"); code != coap.BadRequest {
			t.Errorf("not a number: %v", code)
		}
		if code := write("60"); code != coap.Changed {
			t.Errorf("60 s: %v", code)
		}
		s.wait("update device-1 lt=60: 2.04")
		written := time.Now()
		s.wait("update device-1: 2.04")
		if after := time.Since(written).Round(time.Second); after != 45*time.Second {
			t.Errorf("next update after %v", after)
		}
		d.stop()
		s.wait("deregister device-1")
		start(t, d.store, func(cfg *device.Config) { cfg.Dial = s.dial })
		s.wait("register device-1: 2.01")
		if !slices.Contains(s.registration.Query, "lt=60") {
			t.Errorf("after a restart: %q", s.registration.Query)
		}
	})
}

func TestTheLifetimeIsTheUsersThenTheServersThenAnHour(t *testing.T) {
	for _, test := range []struct {
		flag    time.Duration
		written []lwm2m.TLV
		want    string
	}{
		{0, nil, "lt=3600"},
		{0, []lwm2m.TLV{lwm2m.Integer(0, 1), lwm2m.Integer(1, 7200), lwm2m.Boolean(6, true), lwm2m.Text(7, "U")}, "lt=7200"},
		{2 * time.Hour, []lwm2m.TLV{lwm2m.Integer(1, 600)}, "lt=7200"},
		{0, []lwm2m.TLV{lwm2m.Integer(1, 5)}, "lt=60"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, store := newService(t), newStore(t)
			s.writeServer = test.written
			must(t, device.Provision(store, s.kit(t).folder(t)))
			start(t, store, func(cfg *device.Config) { cfg.Dial, cfg.Lifetime = s.dial, test.flag })
			s.wait(firstBootstrap, "register device-1: 2.01")
			if !slices.Contains(s.registration.Query, test.want) {
				t.Errorf("flag %v, written %v: %q, want %s", test.flag, test.written, s.registration.Query, test.want)
			}
		})
	}
}

func TestNoSecretIsLogged(t *testing.T) {
	inMemory(t, func(t *testing.T, s *service, d *running) {
		s.wait(firstBootstrap, "register device-1: 2.01")
		d.waitRegistered(t)
		d.stop()
		for item, data := range content(t, d.store) {
			if strings.Contains(item, "PrivateKey") && strings.Contains(d.log.String(), data) {
				t.Errorf("the log shows %s", item)
			}
		}
	})
}
