package connect_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/coap"
)

var (
	me     = cloud.Principal{AccountID: "account", KeyID: "mine"}
	friend = cloud.Principal{AccountID: "account", KeyID: "friend's"}
)

// departed is the stage's device.
var departed = cloud.Identity{AccountID: "account", DeviceID: "device", EndpointName: "name"}

// stage is a Service with one registered device, in fake time.
type stage struct {
	t *testing.T
	*connect.Service

	memory  *memory
	mu      sync.Mutex
	answer  func(*coap.Request) (*coap.Response, error)
	asked   []string
	session uint64
	sent    []string // to callbacks
	refuse  error    // what callbacks answer
	restart func()
	pause   func() // of a restart; may be nil
	record  *cloud.RegistrationRecord
}

// play runs a test in fake time.
func play(t *testing.T, limits connect.Limits, test func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, memory: &memory{}, session: 1, record: &cloud.RegistrationRecord{Registration: cloud.Registration{
			AccountID: "account", DeviceID: "device", EndpointName: "name", Links: []cloud.Link{{Path: "/3/0/0"}, {Path: "/5/0"}},
		}}}
		s.say(func(*coap.Request) (*coap.Response, error) {
			return &coap.Response{Code: coap.Content, Payload: []byte("value")}, nil
		})
		s.memory.record = s.record
		stop := s.start(limits)
		defer func() { stop() }()
		s.restart = func() {
			stop()
			if s.pause != nil {
				s.pause()
			}
			stop = s.start(limits)
		}
		test(s)
	})
}

func (s *stage) newService(limits connect.Limits) *connect.Service {
	return connect.New(connect.Config{
		Directory: s, Devices: s, Memory: s.memory, Callbacks: s, Limits: limits, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
}

// start starts the Service as the service's start does.
func (s *stage) start(limits connect.Limits) (stop func()) {
	s.Service = s.newService(limits)
	if err := s.Load(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			s.t.Error(err)
		}
	})
	return func() {
		cancel()
		running.Wait()
		if err := s.Save(context.WithoutCancel(ctx)); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *stage) Device(_ context.Context, _ cloud.Principal, id string) (*cloud.Device, error) {
	if id != "device" {
		return nil, cloud.ErrNotFound
	}
	return &cloud.Device{ID: id}, nil
}

func (s *stage) Registration(context.Context, cloud.Principal, string) (*cloud.RegistrationRecord, error) {
	return s.record, nil
}

func (s *stage) Session(string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session
}

func (s *stage) Do(ctx context.Context, _ string, request *coap.Request) (*coap.Response, error) {
	s.mu.Lock()
	asked := request.Code.String() + " /" + strings.Join(request.Path, "/")
	if request.Observe != nil {
		asked += fmt.Sprintf(" observe %d", *request.Observe)
	}
	s.asked = append(s.asked, asked)
	answer := s.answer
	s.mu.Unlock()
	response, err := answer(request)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return response, err
}

func (s *stage) say(answer func(*coap.Request) (*coap.Response, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *stage) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func read(id string) connect.Request {
	return connect.Request{DeviceID: "device", ID: id, Method: "GET", Path: "/3/0/0"}
}

func (s *stage) send(request connect.Request) {
	s.t.Helper()
	if err := s.Send(s.t.Context(), me, request); err != nil {
		s.t.Fatal(err)
	}
}

// answers polls until nothing comes for the time of one poll.
func (s *stage) answers(who cloud.Principal) []string {
	s.t.Helper()
	var got []string
	for {
		m, err := s.Poll(s.t.Context(), who)
		if err != nil {
			s.t.Fatal(err)
		}
		if m == nil {
			return got
		}
		for _, answer := range m.AsyncResponses {
			payload, err := base64.StdEncoding.DecodeString(answer.Payload)
			if err != nil {
				s.t.Error(err)
			}
			got = append(got, fmt.Sprintf("%s %d %s%s", answer.ID, answer.Status, payload, answer.Error))
		}
	}
}

func (s *stage) wants(got []string, wanted ...string) {
	s.t.Helper()
	if strings.Join(got, "\n") != strings.Join(wanted, "\n") {
		s.t.Errorf("got %q, want %q", got, wanted)
	}
}

func absent(*coap.Request) (*coap.Response, error) { return nil, cloud.ErrNotConnected }

func TestOneRequestIsOnItsWayToADeviceAtATime(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		var under, most int
		s.say(func(*coap.Request) (*coap.Response, error) {
			s.mu.Lock()
			under++
			most = max(most, under)
			s.mu.Unlock()
			time.Sleep(time.Second)
			s.mu.Lock()
			under--
			s.mu.Unlock()
			return &coap.Response{Code: coap.Content}, nil
		})
		for i := range 5 {
			s.send(read(fmt.Sprint(i)))
		}
		s.wants(s.answers(me), "0 200 ", "1 200 ", "2 200 ", "3 200 ", "4 200 ")
		if most != 1 {
			t.Errorf("%d at once", most)
		}
	})
}

func TestAFullQueueRefuses(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.say(func(*coap.Request) (*coap.Response, error) {
			time.Sleep(time.Hour)
			return nil, coap.ErrTimeout
		})
		for i := range 20 {
			s.send(read(fmt.Sprint(i)))
		}
		if err := s.Send(s.t.Context(), me, read("more")); !errors.Is(err, connect.ErrQueueFull) {
			t.Errorf("the 21st request: %v", err)
		}
	})
}

func TestPayloadsOfAllQueuesAreBounded(t *testing.T) {
	limits := connect.DefaultLimits()
	limits.QueuedBytes = 5
	play(t, limits, func(s *stage) {
		write := connect.Request{DeviceID: "device", ID: "large", Method: "PUT", Path: "/3/0/0", Payload: []byte("123456")}
		if err := s.Send(s.t.Context(), me, write); !errors.Is(err, connect.ErrQueueFull) {
			t.Errorf("too large: %v", err)
		}
		for range 3 { // what is done is not counted any more
			write.Payload = []byte("12345")
			s.send(write)
			s.wants(s.answers(me), "large 200 value")
		}
	})
}

func TestARequestIsTriedAgainWhenTheDeviceIsHeardOf(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.say(absent)
		again := read("again")
		again.Retries = new(1)
		s.send(again)
		synctest.Wait()
		s.say(func(*coap.Request) (*coap.Response, error) { return &coap.Response{Code: coap.Content}, nil })
		s.Registered(s.record)
		s.wants(s.answers(me), "again 200 ")
		if s.times() != 2 {
			t.Errorf("asked %d times", s.times())
		}
	})
}

func TestRetriesEnd(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.say(absent)
		again := read("again")
		again.Retries = new(2)
		s.send(again)
		time.Sleep(90 * time.Minute)
		if s.times() != 3 {
			t.Errorf("asked %d times", s.times())
		}
	})
}

func TestARequestExpires(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.say(absent)
		short := read("short")
		short.Retries, short.Expiry = new(10), new(time.Minute)
		s.send(short)
		time.Sleep(time.Minute)
		s.wants(s.answers(me), "short 429 REQUEST_EXPIRED")
	})
}

func TestASleepingDeviceIsAskedWhenItWakes(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.record.Binding = "UQ"
		s.say(func(*coap.Request) (*coap.Response, error) { return nil, coap.ErrTimeout })
		s.send(read("later"))
		s.wants(s.answers(me))
		s.say(func(*coap.Request) (*coap.Response, error) { return &coap.Response{Code: coap.Content}, nil })
		s.RegistrationUpdated(s.record)
		s.wants(s.answers(me), "later 200 ")
	})
}

func TestASleepingDeviceThatWakesAndDoesNotAnswerIsGivenUp(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.record.Binding = "UQ"
		s.say(func(*coap.Request) (*coap.Response, error) { return nil, coap.ErrTimeout })
		s.send(read("later"))
		for wake, wanted := range [][]string{nil, nil, {"later 504 TIMEOUT"}} {
			if s.times() != wake {
				t.Errorf("asked %d times after waking %d times", s.times(), wake)
			}
			s.RegistrationUpdated(s.record)
			s.wants(s.answers(me), wanted...)
			time.Sleep(5 * time.Minute)
		}
		silent := read("silent")
		silent.Silent = true
		if err := s.Send(s.t.Context(), me, silent); !errors.Is(err, connect.ErrSleeps) {
			t.Errorf("without an answer: %v", err)
		}
	})
}

func TestHowLongARequestWaitsUnlessItSays(t *testing.T) {
	for binding, limit := range map[string]time.Duration{"U": 2 * time.Hour, "UQ": 3 * 24 * time.Hour} {
		play(t, connect.DefaultLimits(), func(s *stage) {
			s.record.Binding = binding
			s.say(absent)
			must(t, s.SetCallback(s.t.Context(), me, here)) // which does not end while it waits
			long := read("long")
			long.Retries = new(10)
			s.send(long)
			s.delivered()
			if time.Sleep(limit - time.Minute); len(s.delivered()) > 0 {
				t.Errorf("%s: ended early", binding)
			}
			time.Sleep(2 * time.Minute)
			if told := s.delivered(); len(told) != 1 || !strings.Contains(told[0], "REQUEST_EXPIRED") {
				t.Errorf("%s: told %q", binding, told)
			}
		})
	}
}

func TestWhatWaitsForADeviceThatLeavesIsAnswered(t *testing.T) {
	for why, word := range map[cloud.Ending]string{
		cloud.Deregistered: "DEVICE_REMOVED_REGISTRATION", cloud.Expired: "DEVICE_REMOVED_REGISTRATION", cloud.Suspended: "DEVICE_BLOCKED",
	} {
		play(t, connect.DefaultLimits(), func(s *stage) {
			s.say(func(*coap.Request) (*coap.Response, error) {
				time.Sleep(time.Second)
				return nil, coap.ErrClosed
			})
			s.send(read("first"))
			s.send(read("second"))
			synctest.Wait()
			s.RegistrationEnded(departed, why)
			s.wants(s.answers(me), "second 429 "+word, "first 503 NOT_CONNECTED")
			s.say(func(*coap.Request) (*coap.Response, error) { return &coap.Response{Code: coap.Content}, nil })
			s.send(read("third"))
			s.wants(s.answers(me), "third 200 ")
		})
	}
}

func TestAnAnswerThatIsTooLargeIsNotAskedForAgain(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.say(func(*coap.Request) (*coap.Response, error) { return nil, fmt.Errorf("wrapped: %w", coap.ErrTooLarge) })
		request := read("large")
		request.Retries = new(3)
		s.send(request)
		s.wants(s.answers(me), "large 502 RESPONSE_TOO_LARGE")
		if s.times() != 1 {
			t.Errorf("asked %d times", s.times())
		}
	})
}

func TestASecondPollIsRefusedWhileTheFirstWaits(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		began := time.Now()
		go func() {
			if m, err := s.Poll(s.t.Context(), me); m != nil || err != nil {
				t.Errorf("the first poll got %v, %v", m, err)
			}
		}()
		synctest.Wait()
		if _, err := s.Poll(s.t.Context(), me); !errors.Is(err, connect.ErrPolling) {
			t.Errorf("the second poll: %v", err)
		}
		if m, err := s.Poll(s.t.Context(), friend); m != nil || err != nil {
			t.Errorf("another key's poll got %v, %v", m, err)
		}
		if waited := time.Since(began); waited != 30*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestDeletingTheChannelEndsItsPoll(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		began := time.Now()
		var poll sync.WaitGroup
		poll.Go(func() {
			if m, err := s.Poll(s.t.Context(), me); m != nil || err != nil {
				t.Errorf("the poll got %v, %v", m, err)
			}
		})
		synctest.Wait()
		if !s.CloseChannel(me) || s.CloseChannel(me) {
			t.Error("not deleted exactly once")
		}
		poll.Wait()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %v", waited)
		}
	})
}

// The Python SDK deletes its channel beside the poll that its thread begins, and
// waits for that poll: one time in ten it hung for half a minute.
func TestAPollThatCrossesTheEndOfItsChannelDoesNotWait(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		waits := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			if m, err := s.Poll(s.t.Context(), me); m != nil || err != nil {
				t.Errorf("the poll got %v, %v", m, err)
			}
			if waited := time.Since(began); waited != want {
				t.Errorf("waited %v, want %v", waited, want)
			}
		}
		waits(30 * time.Second)
		s.CloseChannel(me)
		time.Sleep(time.Second)
		waits(0)
		waits(30 * time.Second) // another is a new beginning
		s.CloseChannel(me)
		time.Sleep(3 * time.Second)
		waits(30 * time.Second)
		s.CloseChannel(me)
		time.Sleep(time.Second)
		if m, err := s.Poll(s.t.Context(), friend); m != nil || err != nil {
			t.Errorf("another key's poll got %v, %v", m, err)
		}
		waits(30 * time.Second)
	})
}

func TestAPollOfACallerWhoLeftTakesNothing(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.send(read("kept"))
		synctest.Wait()
		gone, leave := context.WithCancel(s.t.Context())
		leave()
		if _, err := s.Poll(gone, me); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s.wants(s.answers(me), "kept 200 value")
	})
}

func TestAFullChannelIsEmptiedAndSaysSo(t *testing.T) {
	limits := connect.DefaultLimits()
	limits.ChannelBytes = 400
	play(t, limits, func(s *stage) {
		s.send(read("one"))
		synctest.Wait()
		for range 4 {
			s.Registered(s.record)
		}
		if _, err := s.Poll(s.t.Context(), me); !errors.Is(err, connect.ErrOverflow) {
			t.Fatal(err)
		}
		s.answers(me)
		s.send(read("two"))
		s.wants(s.answers(me), "two 200 value")
	})
}

func TestAForgottenChannelExpires(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.answers(me)
		if time.Sleep(9 * time.Minute); s.ChannelKind(me) != connect.LongPoll {
			t.Error("gone after 9 minutes")
		}
		if time.Sleep(3 * time.Minute); s.ChannelKind(me) == connect.LongPoll {
			t.Error("there after 12 minutes")
		}
	})
}

func TestOfAllChannelsTheFullestIsEmptied(t *testing.T) {
	limits := connect.DefaultLimits()
	limits.AllChannels = 10 * len(deregistered)
	play(t, limits, func(s *stage) {
		s.answers(friend)
		for range 6 {
			s.leave()
		}
		s.answers(me)
		for range 2 {
			s.leave() // to both
		}
		s.leave() // there is no room for it
		if m, err := s.Poll(s.t.Context(), me); err != nil || m == nil || len(m.DeRegistrations) != 3 {
			t.Errorf("the emptier one has %+v, %v", m, err)
		}
		if _, err := s.Poll(s.t.Context(), friend); !errors.Is(err, connect.ErrOverflow) {
			t.Errorf("the fuller one: %v", err)
		}
		for range 4 { // what was taken out makes room
			s.leave()
		}
		if m, err := s.Poll(s.t.Context(), me); err != nil || m == nil || len(m.DeRegistrations) != 4 {
			t.Errorf("afterwards it has %+v, %v", m, err)
		}
	})
}

func TestAKeyThatIsVoidAsksDevicesOfNothingMore(t *testing.T) {
	for name, change := range map[string]cloud.KeyChange{"reset": cloud.KeyReset, "disabled": cloud.KeyDisabled, "deleted": cloud.KeyDeleted} {
		play(t, connect.DefaultLimits(), func(s *stage) {
			s.record.Binding = "UQ"
			s.send(read("mine"))
			if err := s.Send(s.t.Context(), friend, read("theirs")); err != nil {
				t.Fatal(err)
			}
			s.KeyChanged(me.KeyID, change)
			s.RegistrationUpdated(s.record)
			s.wants(s.answers(friend), "theirs 200 value")
			if s.times() != 1 {
				t.Errorf("%s: the device was asked %d times", name, s.times())
			}
			if change == cloud.KeyReset {
				s.wants(s.answers(me), "mine 429 REQUEST_EXPIRED")
			}
		})
	}
}

func TestAMessageThatCameBackGrewBeyondItsBound(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.answers(me)
		for range 1500 {
			s.leave()
		}
		poll := func(wanted int) *connect.Message {
			m, err := s.Poll(s.t.Context(), me)
			if err != nil || m == nil || len(m.DeRegistrations) != wanted {
				t.Fatalf("polled %v, %v; want %d events", m, err, wanted)
			}
			return m
		}
		for range 3 {
			s.Return(me, poll(1000))
		}
		poll(1000)
		poll(500)
	})
}

func TestEveryChannelOfTheAccountHearsOfRegistrations(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		stranger := cloud.Principal{AccountID: "other", KeyID: "stranger's"}
		for _, who := range []cloud.Principal{me, friend, stranger} {
			s.answers(who)
		}
		s.Registered(s.record)
		s.RegistrationUpdated(s.record)
		s.RegistrationEnded(departed, cloud.Deregistered)
		s.RegistrationEnded(departed, cloud.Expired)
		for _, who := range []cloud.Principal{me, friend} {
			m, err := s.Poll(s.t.Context(), who)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Registrations) != 1 || len(m.RegUpdates) != 1 || len(m.DeRegistrations) != 1 || len(m.RegistrationsExpired) != 1 {
				t.Errorf("%s got %+v", who.KeyID, m)
			}
		}
		if m, err := s.Poll(s.t.Context(), stranger); m != nil || err != nil {
			t.Errorf("a stranger got %v, %v", m, err)
		}
	})
}

// One message has registrations before departures, whichever came first.
func TestADeviceThatLeftAndIsBackIsToldOfInTwoMessages(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		s.answers(me)
		for _, why := range []cloud.Ending{cloud.Deregistered, cloud.Expired} {
			s.Registered(s.record)
			s.RegistrationEnded(departed, why)
			s.Registered(s.record)
			s.RegistrationUpdated(s.record)
			for i, left := range []int{1, 0} {
				m, err := s.Poll(s.t.Context(), me)
				if err != nil {
					t.Fatal(err)
				}
				if len(m.Registrations) != 1 || len(m.DeRegistrations)+len(m.RegistrationsExpired) != left || len(m.RegUpdates) != 1-left {
					t.Errorf("message %d is %+v", i, m)
				}
			}
		}
	})
}

func TestOnlyWhatIsRegisteredCanBeAsked(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		for path, known := range map[string]bool{
			"/3/0/0": true, "/3/0": true, "/3": true, "/5/0": true, "/5/0/7": true,
			"/3/0/1": false, "/3/0/00": false, "/30": false, "/": false, "": false, "/" + strings.Repeat("3", 256): false,
		} {
			request := read("x")
			request.Path = path
			err := s.Send(s.t.Context(), me, request)
			if known != (err == nil) || err != nil && !errors.Is(err, connect.ErrNoResource) {
				t.Errorf("%q: %v", path, err)
			}
		}
	})
}

func TestACachedValueEndsWithAWrite(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		known := func() bool {
			_, known, err := s.Cached(s.t.Context(), me, "device", "/3/0/0")
			if err != nil {
				t.Fatal(err)
			}
			return known
		}
		s.send(read("one"))
		if synctest.Wait(); !known() {
			t.Error("not kept")
		}
		if time.Sleep(61 * time.Second); known() {
			t.Error("kept longer than it is good")
		}
		s.send(read("two"))
		s.send(connect.Request{DeviceID: "device", ID: "write", Method: "PUT", Path: "/3/0/0", Payload: []byte("x")})
		if synctest.Wait(); known() {
			t.Error("kept after a write")
		}
	})
}
