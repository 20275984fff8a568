package connect_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/coap"
)

func TestEventsThatWaitOutliveARestart(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.answers(me) // opens the channel
		s.leave()
		must(t, s.SetCallback(s.t.Context(), friend, here))
		s.delivered()
		s.answerCallbacks(errors.New("away"))
		s.leave()
		s.delivered()
		s.restart()
		if s.ChannelKind(me) != connect.LongPoll {
			t.Error("the channel for long polls is gone")
		}
		m, err := s.Poll(s.t.Context(), me)
		if err != nil || m == nil || len(m.DeRegistrations) != 2 {
			t.Errorf("polled %+v, %v", m, err)
		}
		s.answerCallbacks(nil)
		time.Sleep(2 * time.Second)
		if sent := s.delivered(); len(sent) == 0 || sent[len(sent)-1] != "https://here me "+deregistered {
			t.Errorf("sent %q", sent)
		}

		s.leave()
		s.restart()
		if m, err := s.Poll(s.t.Context(), me); err != nil || m == nil || len(m.DeRegistrations) != 1 {
			t.Errorf("what was delivered came again: %+v, %v", m, err)
		}
	})
}

func TestEventsOfTheDayBeforeAreNotDelivered(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.answers(me)
		s.leave()
		s.pause = func() { time.Sleep(25 * time.Hour) }
		s.restart()
		if m, err := s.Poll(s.t.Context(), me); m != nil || err != nil {
			t.Errorf("polled %+v, %v", m, err)
		}
	})
}

func TestABacklogThatCannotBeReadTakesNobodyElses(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.answers(me)
		s.leave()
		s.pause = func() {
			damaged := cloud.Backlog{AccountID: "account", KeyID: "damaged", SavedAt: time.Now(), Body: []byte("{")}
			s.memory.backlogs = append([]cloud.Backlog{damaged}, s.memory.backlogs...)
		}
		s.restart()
		if m, err := s.Poll(s.t.Context(), me); err != nil || m == nil || len(m.DeRegistrations) != 1 {
			t.Errorf("polled %+v, %v", m, err)
		}
	})
}

func TestRequestsThatWaitOutliveARestart(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.record.Binding = "UQ"
		s.say(func(*coap.Request) (*coap.Response, error) {
			time.Sleep(time.Hour)
			return nil, coap.ErrTimeout
		})
		s.RegistrationUpdated(s.record)
		s.send(read("under-way"))
		write := read("write")
		write.Method, write.Payload, write.Path = "PUT", []byte("x"), "/5/0"
		s.send(write)
		brief := read("brief")
		brief.Expiry = new(time.Minute)
		s.send(brief)
		time.Sleep(2 * time.Second)
		s.restart()
		s.say(func(request *coap.Request) (*coap.Response, error) {
			return &coap.Response{Code: coap.Content, Payload: request.Payload}, nil
		})
		s.wants(s.answers(me)) // nobody has heard of the device
		time.Sleep(time.Minute)
		s.RegistrationUpdated(s.record)
		s.wants(s.answers(me), "under-way 200 ", "write 200 x", "brief 429 REQUEST_EXPIRED")
	})
}

// The service may be stopped again, or fail to start, before it has taken up what
// waits.
func TestWhatWaitsIsNotLostByAStartThatIsBrokenOff(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.record.Binding = "UQ"
		s.say(func(*coap.Request) (*coap.Response, error) { return nil, cloud.ErrNotConnected })
		s.send(read("first"))
		s.send(read("second"))
		synctest.Wait()
		s.pause = func() {
			for _, run := range []func(*connect.Service){
				func(*connect.Service) {},
				func(service *connect.Service) {
					ended, end := context.WithCancel(s.t.Context())
					end()
					must(t, service.Run(ended))
				},
			} {
				service := s.newService(connect.DefaultLimits())
				must(t, service.Load(s.t.Context()))
				run(service)
				must(t, service.Save(s.t.Context()))
			}
		}
		s.restart()
		s.say(func(*coap.Request) (*coap.Response, error) { return &coap.Response{Code: coap.Content}, nil })
		s.RegistrationUpdated(s.record)
		time.Sleep(time.Minute)
		s.wants(s.answers(me), "first 200 ", "second 200 ")
	})
}

func TestWhatADeviceMayHaveDoneIsNotDoneAgainAfterARestart(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.say(func(*coap.Request) (*coap.Response, error) {
			time.Sleep(time.Hour)
			return nil, coap.ErrTimeout
		})
		for _, id := range []string{"under-way", "next"} {
			execute := read(id)
			execute.Method = "POST"
			s.send(execute)
		}
		synctest.Wait()
		s.restart()
		s.say(func(*coap.Request) (*coap.Response, error) { return &coap.Response{Code: coap.Changed}, nil })
		s.RegistrationUpdated(s.record)
		s.wants(s.answers(me), "under-way 503 NOT_CONNECTED", "next 200 ")
	})
}

func TestASubscriptionThatWaitsIsAnsweredAfterARestart(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.record.Binding = "UQ"
		s.record.Links = []cloud.Link{{Path: "/3/0/0", Attributes: map[string]string{"obs": ""}}}
		s.say(absent)
		id, err := s.Subscribe(s.t.Context(), me, "device", "/3/0/0", 0)
		if err != nil || id == "" {
			t.Fatalf("subscribed as %q, %v", id, err)
		}
		s.restart()
		s.say(func(*coap.Request) (*coap.Response, error) {
			return &coap.Response{Code: coap.Content, Observe: new(uint32(1)), Payload: []byte("now")}, nil
		})
		s.RegistrationUpdated(s.record)
		answers := s.answers(me)
		if len(answers) == 0 || answers[0] != id+" 200 now" {
			t.Errorf("got %q", answers)
		}
	})
}
