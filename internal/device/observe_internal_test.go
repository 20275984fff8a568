package device

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/coap"
	"mbl/internal/coap/coaptest"
	"mbl/internal/keystore"
)

// server is the other end of a device's objects, in fake time.
type server struct {
	t       *testing.T
	session *coap.Session
	device  *observations

	mu    sync.Mutex
	ended bool // observations are rejected
	heard []string
	began time.Time
}

// Observed implements coap.Observer.
func (s *server) Observed(context.Context, []byte) (path []string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil, !s.ended
}

// Notified implements coap.Observer.
func (s *server) Notified(_ context.Context, token []byte, n *coap.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, fmt.Sprintf("%s %.0fs %s", token, time.Since(s.began).Seconds(), n.Payload))
}

// withServer runs a test with the objects of a device and their server.
func withServer(t *testing.T, test func(s *server)) {
	t.Helper()
	store := keystore.NewFile(filepath.Join(t.TempDir(), "keystore"))
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(Config{Store: store, Log: slog.New(slog.DiscardHandler)})
		a.renewResources()
		s := &server{t: t, device: &observations{tree: a.tree, attributes: a.attributes, changes: a.changes}, began: time.Now()}
		near, far := coaptest.Pipe()
		device := coap.NewSession(near, s.device.handle, coap.SessionConfig{})
		s.session = coap.NewSession(far, nil, coap.SessionConfig{})
		s.session.Observe(s)
		var serving sync.WaitGroup
		for _, session := range []*coap.Session{device, s.session} {
			serving.Go(func() {
				if err := session.Serve(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		end := s.device.begin(t.Context(), device)
		test(s)
		end()
		_ = s.session.Close()
		serving.Wait()
	})
}

// ask sends a request such as "GET 1/0/1" or "PUT 1/0/1?pmin=5 payload".
func (s *server) ask(text string, observe *uint32, token string) *coap.Response {
	s.t.Helper()
	line, payload, _ := strings.Cut(text, "=>")
	method, target, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(target, "?")
	req := &coap.Request{
		Code: map[string]coap.Code{"GET": coap.GET, "PUT": coap.PUT}[method], Path: strings.Split(path, "/"),
		Query:   strings.FieldsFunc(query, func(r rune) bool { return r == '&' }),
		Payload: []byte(payload), Observe: observe, Token: []byte(token),
	}
	response, err := s.session.Do(s.t.Context(), req)
	if err != nil {
		s.t.Fatal(err)
	}
	return response
}

func (s *server) observe(path, token string) {
	s.t.Helper()
	if response := s.ask("GET "+path, new(uint32(0)), token); response.Code != coap.Content || response.Observe == nil {
		s.t.Fatalf("%s: %+v", path, response)
	}
}

func (s *server) put(text string, wanted coap.Code) {
	s.t.Helper()
	if response := s.ask("PUT "+text, nil, "put"); response.Code != wanted {
		s.t.Errorf("PUT %s: %s instead of %s", text, response.Code, wanted)
	}
}

func (s *server) hears(wanted ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Join(s.heard, "\n") != strings.Join(wanted, "\n") {
		s.t.Errorf("heard %q, want %q", s.heard, wanted)
	}
	s.heard = nil
}

func TestAChangeIsReportedAtOnce(t *testing.T) {
	withServer(t, func(s *server) {
		s.observe("1/0/1", "life")
		time.Sleep(time.Minute)
		s.hears()
		s.put("1/0/1=>600", coap.Changed)
		s.hears("life 60s 600")
		if response := s.ask("GET 1/0/1", new(uint32(1)), "life"); response.Observe != nil || string(response.Payload) != "600" {
			t.Errorf("ended with %+v", response)
		}
		s.put("1/0/1=>700", coap.Changed)
		time.Sleep(time.Minute)
		s.hears()
	})
}

func TestAnObservationThatIsRejectedEnds(t *testing.T) {
	withServer(t, func(s *server) {
		s.observe("1/0/1", "life")
		s.ended = true
		s.put("1/0/1=>600", coap.Changed)
		synctest.Wait()
		s.device.mu.Lock()
		defer s.device.mu.Unlock()
		if len(s.device.all) > 0 {
			t.Error("it goes on")
		}
	})
}

func TestTheSameTokenRenewsAnObservation(t *testing.T) {
	withServer(t, func(s *server) {
		s.observe("1/0/1", "life")
		s.observe("1/0/1", "life")
		s.put("1/0/1=>600", coap.Changed)
		s.hears("life 0s 600")
	})
}

func TestObjectsAreObservedWholeButForWhatIsRestless(t *testing.T) {
	withServer(t, func(s *server) {
		s.observe("1", "server")
		s.observe("3/0", "device")
		s.put("1/0/1=>600", coap.Changed)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(s.heard) != 1 || !strings.HasPrefix(s.heard[0], "server 0s ") {
			t.Errorf("heard %q", s.heard)
		}
	})
}

func TestTheClockIsReportedInSteps(t *testing.T) {
	withServer(t, func(s *server) {
		s.observe("3/0/13", "clock")
		time.Sleep(30*time.Second + time.Millisecond)
		synctest.Wait()
		if len(s.heard) != 3 {
			t.Errorf("heard %q", s.heard)
		}
	})
}

func TestAttributesDecideWhenToReport(t *testing.T) {
	withServer(t, func(s *server) {
		s.put("1/0/1?pmin=10&pmax=30", coap.Changed)
		s.observe("1/0/1", "life")
		s.put("1/0/1=>600", coap.Changed)
		time.Sleep(45*time.Second + time.Millisecond)
		s.hears("life 10s 600", "life 40s 600")
		s.put("1/0/1?pmax", coap.Changed)
		time.Sleep(time.Minute)
		s.hears()
		s.put("1/0/1?pmin&st=100", coap.Changed)
		for _, lifetime := range []string{"650", "699", "700", "750", "800"} {
			s.put("1/0/1=>"+lifetime, coap.Changed)
			synctest.Wait()
		}
		s.hears("life 105s 700", "life 105s 800")
		s.put("1/0/1?st&gt=1000", coap.Changed)
		for _, lifetime := range []string{"900", "1100", "1200", "950"} {
			s.put("1/0/1=>"+lifetime, coap.Changed)
			synctest.Wait()
		}
		s.hears("life 105s 1100", "life 105s 950")
		if links := s.discover("1/0/1"); !strings.Contains(links, `gt="1000"`) || strings.Contains(links, "pmin") {
			t.Errorf("discovered %s", links)
		}
	})
}

func (s *server) discover(path string) string {
	s.t.Helper()
	response, err := s.session.Do(s.t.Context(), &coap.Request{Code: coap.GET, Path: strings.Split(path, "/"), Accept: format(formatLinks)})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(response.Payload)
}

func TestAttributesOfAnObjectCountForItsResources(t *testing.T) {
	withServer(t, func(s *server) {
		s.put("1?pmax=10", coap.Changed)
		s.observe("1/0/7", "binding")
		time.Sleep(10*time.Second + time.Millisecond)
		s.hears("binding 10s U")
		s.put("1/0?pmax=60", coap.Changed)
		time.Sleep(59 * time.Second)
		s.hears()
	})
}

func TestUnusableAttributesAreRefused(t *testing.T) {
	withServer(t, func(s *server) {
		for _, query := range []string{
			"other=1", "pmin=soon", "pmin=-1", "st=-1", "gt=NaN", "pmax=Inf", "pmin=60&pmax=30", "gt=1&lt=2", "gt=10&lt=5&st=3",
		} {
			s.put("1/0/1?"+query, coap.BadRequest)
		}
		s.put("1/0?gt=5", coap.BadRequest)
		s.put("1/0/99?pmin=5", coap.NotFound)
		s.put("1/0/1?gt=-5&lt=-20&st=7&pmin=0&pmax=0", coap.Changed)
	})
}

func TestFurtherObservationsAreMereReadings(t *testing.T) {
	withServer(t, func(s *server) {
		for i := range maxObservations {
			s.observe("1/0/1", fmt.Sprint(i))
		}
		if response := s.ask("GET 1/0/1", new(uint32(0)), "more"); response.Code != coap.Content || response.Observe != nil {
			t.Errorf("answered %+v", response)
		}
		if response := s.ask("GET 1/0/8", new(uint32(0)), "x"); response.Code != coap.MethodNotAllowed || response.Observe != nil {
			t.Errorf("what cannot be read: %+v", response)
		}
	})
}
