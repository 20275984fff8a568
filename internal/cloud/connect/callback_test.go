package connect_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/webhook"
)

// Put implements connect.Callbacks.
func (s *stage) Put(_ context.Context, address string, headers map[string]string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, address+" "+headers["who"]+" "+string(body))
	return s.refuse
}

func (s *stage) answerCallbacks(refuse error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// delivered are the bodies sent to callbacks since it was last asked.
func (s *stage) delivered() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

var here = cloud.ChannelSettings{URL: "https://here", Headers: map[string]string{"who": "me"}}

const deregistered = `{"de-registrations":["device"]}`

func (s *stage) leave() { s.RegistrationEnded(departed, cloud.Deregistered) }

func TestACallbackIsTestedAndThenDeliveredTo(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.answerCallbacks(errors.New("refused"))
		if err := s.SetCallback(s.t.Context(), me, here); !errors.Is(err, connect.ErrCallback) {
			t.Errorf("got %v", err)
		}
		s.answerCallbacks(webhook.ErrForbiddenAddress)
		if err := s.SetCallback(s.t.Context(), me, here); !errors.Is(err, connect.ErrOwnAddress) {
			t.Errorf("got %v", err)
		}
		if s.ChannelKind(me) != connect.NoChannel || s.memory.count() > 0 {
			t.Error("a callback that failed its test was taken")
		}
		s.answerCallbacks(nil)
		s.delivered()
		s.send(read("early")) // its answer waits for the channel
		synctest.Wait()
		must(t, s.SetCallback(s.t.Context(), me, here))
		got := s.delivered()
		if len(got) != 2 || got[0] != "https://here me " || !strings.Contains(got[1], `"id":"early","status":200`) {
			t.Errorf("delivered %q", got)
		}
		s.leave()
		s.wants(s.delivered(), "https://here me "+deregistered)
		there := here
		there.URL = "http://there"
		must(t, s.SetCallback(s.t.Context(), me, there))
		s.leave()
		s.wants(s.delivered(), "http://there me ", "http://there me "+deregistered)
		if settings, err := s.Callback(me); err != nil || settings.URL != there.URL || settings.Headers["who"] != "me" {
			t.Errorf("it is %+v, %v", settings, err)
		}
		must(t, s.DeleteCallback(s.t.Context(), me))
		s.leave()
		s.wants(s.delivered())
		if _, err := s.Callback(me); !errors.Is(err, connect.ErrNoChannel) || !errors.Is(s.DeleteCallback(s.t.Context(), me), connect.ErrNoChannel) {
			t.Errorf("got %v", err)
		}
	})
}

func TestACallbackIsTriedAgainWithGrowingPausesAndNothingIsLost(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		must(t, s.SetCallback(s.t.Context(), me, here))
		s.delivered()
		s.answerCallbacks(errors.New("busy"))
		s.leave()
		var tries []int
		for range 260 {
			tries = append(tries, len(s.delivered()))
			time.Sleep(time.Second)
		}
		for second, wanted := range map[int]int{0: 1, 1: 1, 2: 0, 3: 1, 7: 1, 15: 1, 31: 1, 63: 1, 127: 1, 128: 0, 247: 1} {
			if tries[second] != wanted {
				t.Errorf("after %d s it was tried %d times", second, tries[second])
			}
		}
		s.leave()
		s.answerCallbacks(nil)
		time.Sleep(3 * time.Minute)
		s.wants(s.delivered(), "https://here me "+deregistered, "https://here me "+deregistered)
	})
}

func TestACallbackThatFailsForADayIsRemoved(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		must(t, s.SetCallback(s.t.Context(), me, here))
		s.answerCallbacks(errors.New("gone"))
		s.leave()
		if time.Sleep(23 * time.Hour); s.ChannelKind(me) != connect.Callback {
			t.Error("removed after 23 hours")
		}
		if time.Sleep(2 * time.Hour); s.ChannelKind(me) != connect.NoChannel || s.memory.count() > 0 {
			t.Error("still there after 25 hours")
		}
	})
}

func TestACallbackOutlivesARestart(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		must(t, s.SetCallback(s.t.Context(), me, here))
		s.delivered()
		s.restart()
		s.leave()
		s.wants(s.delivered(), "https://here me "+deregistered)
		must(t, s.DeleteCallback(s.t.Context(), me))
		s.restart()
		if s.ChannelKind(me) != connect.NoChannel {
			t.Error("a deleted callback came back")
		}
	})
}

func TestAKeyHasOneChannelOfOneKind(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		open := map[connect.ChannelKind]func() error{
			connect.LongPoll: func() error {
				_, err := s.Poll(s.t.Context(), me)
				return err
			},
			connect.Callback: func() error { return s.SetCallback(s.t.Context(), me, here) },
			connect.Websocket: func() error {
				_, err := s.RegisterSocket(s.t.Context(), me, cloud.ChannelSettings{})
				return err
			},
		}
		closing := map[connect.ChannelKind]func() error{
			connect.LongPoll:  func() error { s.CloseChannel(me); return nil },
			connect.Callback:  func() error { return s.DeleteCallback(s.t.Context(), me) },
			connect.Websocket: func() error { return s.DeleteSocket(s.t.Context(), me) },
		}
		for kind, begin := range open {
			must(t, begin())
			for other, try := range open {
				if err := try(); other != kind && !errors.Is(err, connect.ErrOtherChannel) || other == kind && err != nil {
					t.Errorf("%d beside %d: %v", other, kind, err)
				}
			}
			if kind != connect.LongPoll && s.CloseChannel(me) {
				t.Errorf("%d was closed as a long poll", kind)
			}
			if s.ChannelKind(me) != kind {
				t.Errorf("%d became %d", kind, s.ChannelKind(me))
			}
			must(t, closing[kind]())
		}
	})
}

func TestAChannelEndsWithItsKey(t *testing.T) {
	for _, change := range []cloud.KeyChange{cloud.KeyReset, cloud.KeyDisabled, cloud.KeyDeleted} {
		play(t, connect.DefaultLimits(), func(s *stage) {
			must(t, s.SetCallback(s.t.Context(), me, here))
			s.delivered()
			s.KeyChanged(me.KeyID, change)
			s.leave()
			if got := s.delivered(); len(got) > 0 {
				t.Errorf("%d: delivered %q", change, got)
			}
			if change != cloud.KeyDeleted && s.memory.count() > 0 { // a deleted key's are deleted with it
				t.Errorf("%d: it comes back at a restart", change)
			}
		})
	}
}

func TestALongPollOutlivesAResetOfItsKey(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		_, err := s.Poll(s.t.Context(), me)
		must(t, err)
		s.KeyChanged(me.KeyID, cloud.KeyReset)
		s.leave()
		if message, err := s.Poll(s.t.Context(), me); err != nil || len(message.DeRegistrations) != 1 {
			t.Errorf("got %+v, %v", message, err)
		}
	})
}

func TestACallbackThatCannotBeKeptLeavesWhatWasBefore(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		refused := cloud.Refuse(cloud.ErrUnauthorized, "void")
		s.memory.saving = refused
		if err := s.SetCallback(s.t.Context(), me, here); !errors.Is(err, refused) || s.ChannelKind(me) != connect.NoChannel {
			t.Errorf("the channel is %d, %v", s.ChannelKind(me), err)
		}
		for range 3 {
			s.leave()
		}
		if message, err := s.Poll(s.t.Context(), me); err != nil || len(message.DeRegistrations) != 3 {
			t.Errorf("a poll after it got %+v, %v", message, err)
		}
		s.CloseChannel(me)

		s.memory.saving = nil
		must(t, s.SetCallback(s.t.Context(), me, here))
		s.memory.saving = refused
		if err := s.SetCallback(s.t.Context(), me, cloud.ChannelSettings{URL: "https://there"}); !errors.Is(err, refused) {
			t.Errorf("got %v", err)
		}
		s.delivered()
		s.leave()
		s.wants(s.delivered(), "https://here me "+deregistered)
	})
}

func TestUnusableCallbacksAreRefused(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		long := strings.Repeat("a", 380)
		for name, settings := range map[string]cloud.ChannelSettings{
			"no address":            {},
			"no scheme":             {URL: "here"},
			"another scheme":        {URL: "ftp://here"},
			"no host":               {URL: "http:///path"},
			"too long":              {URL: "http://here/" + long + strings.Repeat("a", 9)},
			"too long with headers": {URL: "http://here/" + long, Headers: map[string]string{"name": "value"}},
			"another serialization": {URL: "http://here", Serialization: json.RawMessage(`{"type":"v3"}`)},
			"no serialization":      {URL: "http://here", Serialization: json.RawMessage(`7`)},
			"too small messages":    {URL: "http://here", Serialization: json.RawMessage(`{"max_chunk_size":"99"}`)},
		} {
			if err := s.SetCallback(s.t.Context(), me, settings); !errors.Is(err, cloud.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, s.SetCallback(s.t.Context(), me, cloud.ChannelSettings{
			URL: "http://here/" + long, Headers: map[string]string{"na": "value"},
			Serialization: json.RawMessage(`{"type":"v2","max_chunk_size":"100","cfg":{"include_uid":"true"}}`),
		}))
	})
}

func TestMessagesAreAsLargeAsTheClientWants(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		settings := here
		settings.Serialization = json.RawMessage(`{"type":"v2","max_chunk_size":100}`)
		must(t, s.SetCallback(s.t.Context(), me, settings))
		s.answerCallbacks(errors.New("busy"))
		s.leave()
		synctest.Wait()
		for range 250 {
			s.leave()
		}
		s.answerCallbacks(nil)
		s.delivered()
		time.Sleep(10 * time.Second)
		var counts []int
		for _, body := range s.delivered() {
			counts = append(counts, strings.Count(body, `"device"`))
		}
		if !slices.Equal(counts, []int{1, 100, 100, 50}) {
			t.Errorf("delivered %d", counts)
		}
	})
}
