package connect_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/coap"
)

// everything is what the vendor's programs ask for.
const everything = `{"type":"v2","max_chunk_size":"100","cfg":{"deregistrations_as_object":"true",
	"include_uid":true,"include_timestamp":"true","include_original_ep":true}}`

func TestAClientGetsItsEventsAsItAsksForThem(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		var serving sync.WaitGroup
		defer serving.Wait()
		s.record.Links = []cloud.Link{{Path: "/3/0/0", Attributes: map[string]string{"aobs": "1"}}}
		settings := cloud.ChannelSettings{Serialization: json.RawMessage(everything)}
		if _, err := s.RegisterSocket(s.t.Context(), me, settings); err != nil {
			t.Fatal(err)
		}
		must(t, s.SetCallback(s.t.Context(), friend, here))
		s.delivered()
		for _, who := range []cloud.Principal{me, friend} {
			if _, err := s.Subscribe(s.t.Context(), who, "device", "/3/0/0", 0); err != nil {
				t.Fatal(err)
			}
		}
		s.RegistrationUpdated(s.record)
		s.Notified(s.t.Context(), "device", []byte{0, 1}, &coap.Response{Code: coap.Content, Observe: new(uint32(1)), Payload: []byte("5")})
		s.leave()
		s.RegistrationEnded(departed, cloud.Expired)
		client := s.socket(&serving)
		now := time.Now().UnixMilli()
		uid := regexp.MustCompile(`"uid":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)
		sent := client.texts()
		if len(sent) != 4 {
			t.Fatalf("sent %q, want one kind of events in each", sent)
		}
		for i, parts := range [][]string{
			{`{"reg-updates":[{"ep":"device","original-ep":"name",`},
			{`{"notifications":[{"ep":"device","original-ep":"name","path":"/3/0/0","ct":"","payload":"NQ==",`},
			{`{"de-registrations":[{"ep":"device","original-ep":"name",`},
			{`{"registrations-expired":[{"ep":"device","original-ep":"name",`},
		} {
			var message map[string][]struct {
				Came int64 `json:"timestamp"`
			}
			if err := json.Unmarshal([]byte(sent[i]), &message); err != nil {
				t.Fatal(err)
			}
			for _, events := range message {
				if len(events) != 1 || events[0].Came != now {
					t.Errorf("%s came at %d", sent[i], events[0].Came)
				}
			}
			if !strings.HasPrefix(sent[i], parts[0]) || !uid.MatchString(sent[i]) {
				t.Errorf("sent %s, want %s with a uid", sent[i], parts[0])
			}
		}
		for _, plain := range s.delivered() {
			if strings.Contains(plain, "uid") || strings.Contains(plain, "timestamp") || strings.Contains(plain, `"de-registrations":[{`) {
				t.Errorf("a client that did not ask for it gets %s", plain)
			}
		}
		must(t, s.DeleteSocket(s.t.Context(), me))
	})
}

func TestAnEventThatComesAgainHasTheSameUID(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		var serving sync.WaitGroup
		defer serving.Wait()
		settings := cloud.ChannelSettings{Serialization: json.RawMessage(everything)}
		if _, err := s.RegisterSocket(s.t.Context(), me, settings); err != nil {
			t.Fatal(err)
		}
		lost := s.socket(&serving)
		lost.fail()
		s.leave()
		first := lost.texts()
		time.Sleep(time.Minute)
		s.restart()
		again := s.socket(&serving)
		if second := again.texts(); len(first) != 1 || len(second) != 1 || first[0] != second[0] {
			t.Errorf("sent %q, and then %q", first, second)
		}
		must(t, s.DeleteSocket(s.t.Context(), me))
	})
}

func TestSerializationsThatAreNone(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		for _, text := range []string{`[]`, `{"cfg":1}`, `{"cfg":{"include_uid":"perhaps"}}`, `{"cfg":{"include_timestamp":7}}`} {
			if _, err := s.RegisterSocket(s.t.Context(), me, cloud.ChannelSettings{Serialization: json.RawMessage(text)}); err == nil {
				t.Errorf("%s is taken", text)
			}
		}
	})
}

func TestOfAFullChannelTheOldestEventsGo(t *testing.T) {
	limits := connect.DefaultLimits()
	limits.ChannelBytes = 600
	play(t, limits, func(s *stage) {
		must(t, s.SetCallback(s.t.Context(), me, here))
		s.answerCallbacks(errors.New("away"))
		s.leave() // is in hand
		s.delivered()
		for _, name := range strings.Fields("a b c d e f g h i j k l m n") {
			s.RegistrationEnded(cloud.Identity{AccountID: "account", DeviceID: strings.Repeat(name, 32)}, cloud.Expired)
		}
		s.answerCallbacks(nil)
		time.Sleep(time.Minute)
		sent := strings.Join(s.delivered(), "\n")
		if !strings.Contains(sent, "nnn") || !strings.Contains(sent, "mmm") || strings.Contains(sent, "aaa") {
			t.Errorf("sent %s", sent)
		}
	})
}
