package connect_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
	"mbl/internal/coap"
)

// reporting is a stage whose device has what the original client has: a
// resource it reports of by itself, one that can be observed and one that
// cannot. It takes every request to observe, and tells its token.
func reporting(t *testing.T, test func(s *reporter)) {
	t.Helper()
	play(t, connect.DefaultLimits(), func(s *stage) {
		r := &reporter{stage: s}
		s.record.EndpointName, s.record.EndpointType = "board", "default"
		s.record.Links = []cloud.Link{
			{Path: "/10252/0/2", Attributes: map[string]string{"aobs": "899", "v": "1"}},
			{Path: "/3/0/13", Attributes: map[string]string{"obs": ""}},
			{Path: "/3200/0/5501", Attributes: map[string]string{"obs": ""}},
			{Path: "/3/0/0"},
		}
		s.say(func(request *coap.Request) (*coap.Response, error) {
			response := &coap.Response{Code: coap.Content, ContentFormat: new(uint16(0)), Payload: []byte("now")}
			if request.Observe != nil && *request.Observe == 0 {
				response.Observe = new(uint32(0))
				r.tokens = append(r.tokens, request.Token)
			}
			return response, nil
		})
		test(r)
	})
}

type reporter struct {
	*stage
	tokens [][]byte
}

var auto = []byte{3, 0x83} // 899

// notify reports a value and tells whether the Service knew what of.
func (r *reporter) notify(token []byte, number uint32, value string) bool {
	r.t.Helper()
	if _, known := r.Observed(r.t.Context(), "device", token); !known {
		return false
	}
	r.Notified(r.t.Context(), "device", token, &coap.Response{
		Code: coap.Content, Observe: &number, ContentFormat: new(uint16(0)), MaxAge: new(uint32(0)), Payload: []byte(value),
	})
	return true
}

// heard polls until nothing comes: answers as "status value", notifications as
// "path value".
func (r *reporter) heard(who cloud.Principal) []string {
	r.t.Helper()
	var got []string
	for {
		m, err := r.Poll(r.t.Context(), who)
		if err != nil {
			r.t.Fatal(err)
		}
		if m == nil {
			return got
		}
		for _, answer := range m.AsyncResponses {
			got = append(got, fmt.Sprintf("%d %s%s", answer.Status, decoded(answer.Payload), answer.Error))
		}
		for _, n := range m.Notifications {
			if n.ID != "device" || n.Type != "text/plain" || n.MaxAge != "60" {
				r.t.Errorf("notified of %+v", n)
			}
			got = append(got, n.Path+" "+decoded(n.Payload))
		}
	}
}

func decoded(text string) string {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err.Error()
	}
	return string(plain)
}

func (r *reporter) subscribe(who cloud.Principal, path string) (asked bool) {
	r.t.Helper()
	id, err := r.Subscribe(r.t.Context(), who, "device", path, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	return id != ""
}

func (r *reporter) wasAsked(wanted ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wants(r.asked, wanted...)
	r.asked = nil
}

func TestWhatADeviceReportsByItselfNeedsNoRequest(t *testing.T) {
	reporting(t, func(r *reporter) {
		if r.subscribe(me, "/10252/0/2") {
			t.Error("the device has to be asked")
		}
		r.wasAsked()
		if !r.notify(auto, 2, "3") {
			t.Error("unknown")
		}
		r.heard(friend)
		r.notify(auto, 3, "4")
		if value, known, err := r.Cached(r.t.Context(), friend, "device", "/10252/0/2"); !known || err != nil || string(value.Payload) != "4" {
			t.Errorf("the cache has %q, %v, %v", value.Payload, known, err)
		}
		r.wants(r.heard(me), "/10252/0/2 3", "/10252/0/2 4")
		r.wants(r.heard(friend))
	})
}

func TestUnknownAutomaticTokensAreNotRejected(t *testing.T) {
	reporting(t, func(r *reporter) {
		if !r.notify([]byte{9, 9}, 2, "x") {
			t.Error("rejected")
		}
		if r.notify([]byte{9, 9, 9, 9}, 2, "x") {
			t.Error("a token of nothing is known")
		}
	})
}

func TestASubscriptionBeginsWithTheValueAndEndsWithTheRequest(t *testing.T) {
	reporting(t, func(r *reporter) {
		if !r.subscribe(me, "/3/0/13") {
			t.Error("the device was not asked")
		}
		r.wasAsked("GET /3/0/13 observe 0")
		r.wants(r.heard(me), "200 now")
		r.notify(r.tokens[0], 1, "later")
		r.wants(r.heard(me), "/3/0/13 later")
		if r.subscribe(friend, "/3/0/13") {
			t.Error("asked again for the second subscriber")
		}
		must(t, r.Unsubscribe(r.t.Context(), me, "device", "/3/0/13"))
		r.wasAsked()
		r.notify(r.tokens[0], 2, "last")
		r.wants(r.heard(me))
		r.wants(r.heard(friend), "/3/0/13 last")
		must(t, r.Unsubscribe(r.t.Context(), friend, "device", "/3/0/13", "/3/0/0"))
		r.wasAsked("GET /3/0/13 observe 1")
		if r.notify(r.tokens[0], 3, "more") {
			t.Error("known after the last subscription")
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhoWaitsLearnsOfTheDevicesAgreement(t *testing.T) {
	reporting(t, func(r *reporter) {
		id, err := r.Subscribe(r.t.Context(), me, "device", "/3/0/13", time.Second)
		if err != nil || id != "" {
			t.Errorf("got %q, %v", id, err)
		}
		r.say(func(*coap.Request) (*coap.Response, error) {
			time.Sleep(time.Minute)
			return nil, coap.ErrTimeout
		})
		began := time.Now()
		id, err = r.Subscribe(r.t.Context(), me, "device", "/3200/0/5501", time.Second)
		if err != nil || id == "" || time.Since(began) != time.Second {
			t.Errorf("got %q, %v after %v", id, err, time.Since(began))
		}
	})
}

func TestLateNotificationsAreDropped(t *testing.T) {
	reporting(t, func(r *reporter) {
		r.subscribe(me, "/10252/0/2")
		const last = 1<<24 - 1
		for _, number := range []uint32{last - 1, last, 1, last, 0, 1, 3, 2} {
			r.notify(auto, number, fmt.Sprint(number))
		}
		time.Sleep(129 * time.Second)
		r.notify(auto, 2, "much later")
		r.wants(r.heard(me), fmt.Sprint("/10252/0/2 ", last-1), fmt.Sprint("/10252/0/2 ", last), "/10252/0/2 1", "/10252/0/2 3", "/10252/0/2 much later")
	})
}

func TestADeviceThatCountsAnewOnAnotherSessionIsHeard(t *testing.T) {
	reporting(t, func(r *reporter) {
		r.subscribe(me, "/10252/0/2")
		r.notify(auto, 500, "before")
		r.mu.Lock()
		r.session++
		r.mu.Unlock()
		r.notify(auto, 2, "after")
		r.wants(r.heard(me), "/10252/0/2 before", "/10252/0/2 after")
	})
}

func TestSubscriptionsThatCannotBe(t *testing.T) {
	reporting(t, func(r *reporter) {
		for path, wanted := range map[string]error{"/3/0/0": connect.ErrNotObservable, "/9/0/0": connect.ErrNoResource} {
			if _, err := r.Subscribe(r.t.Context(), me, "device", path, 0); !errors.Is(err, wanted) {
				t.Errorf("%s: %v", path, err)
			}
		}
		for answer, wanted := range map[*coap.Response]string{
			{Code: coap.Content}:          "412 PRECONDITION_FAILED", // without Observe
			{Code: coap.MethodNotAllowed}: "405 METHOD_NOT_ALLOWED",
			nil:                           "504 TIMEOUT",
		} {
			r.say(func(*coap.Request) (*coap.Response, error) {
				if answer == nil {
					return nil, coap.ErrTimeout
				}
				return answer, nil
			})
			r.subscribe(me, "/3/0/13")
			r.wants(r.heard(me), wanted)
			if paths, err := r.Subscribed(r.t.Context(), me, "device"); len(paths) > 0 || err != nil || len(r.memory.subscriptions) > 0 {
				t.Errorf("%s leaves %q, %v, %v", wanted, paths, err, r.memory.subscriptions)
			}
		}
	})
}

func TestADeviceThatMarksNothingIsAskedForAnythingButItsCredentials(t *testing.T) {
	reporting(t, func(r *reporter) {
		r.record.Links = []cloud.Link{{Path: "/0/0"}, {Path: "/3/0"}, {Path: "/5"}}
		if !r.subscribe(me, "/3/0/13") || !r.subscribe(me, "/3/0") {
			t.Error("not asked")
		}
		if _, err := r.Subscribe(r.t.Context(), me, "device", "/0/0", 0); !errors.Is(err, connect.ErrNotObservable) {
			t.Errorf("credentials: %v", err)
		}
	})
}

func TestSubscriptionsOutliveAnUpdateAndARestartButNoRegistration(t *testing.T) {
	reporting(t, func(r *reporter) {
		r.subscribe(me, "/3/0/13")
		r.subscribe(me, "/10252/0/2")
		r.wasAsked("GET /3/0/13 observe 0")
		token := r.tokens[0]
		r.RegistrationUpdated(r.record)
		time.Sleep(2 * time.Second)
		r.wasAsked() // on the same session it still reports
		r.heard(me)
		r.mu.Lock()
		r.session++
		r.mu.Unlock()
		r.RegistrationUpdated(r.record)
		time.Sleep(2 * time.Second)
		r.wasAsked("GET /3/0/13 observe 0")
		r.wants(r.heard(me), "/3/0/13 now")

		r.restart()
		r.heard(me)
		if !r.notify(auto, 2, "auto") || !r.notify(token, 7, "asked") {
			t.Error("not known after a restart")
		}
		r.wants(r.heard(me), "/10252/0/2 auto", "/3/0/13 asked")

		r.Registered(r.record)
		time.Sleep(2 * time.Second)
		r.wasAsked()
		r.heard(me)
		if r.notify(token, 8, "x") || !r.notify(auto, 3, "x") {
			t.Error("after a registration the wrong tokens are known")
		}
		r.wants(r.heard(me))
	})
}

func TestRulesSubscribeAtRegistrationAndUpdate(t *testing.T) {
	reporting(t, func(r *reporter) {
		must(t, r.SetPresubscriptions(r.t.Context(), me, []cloud.Presubscription{
			{EndpointName: "bo*", Paths: []string{"/3200/*"}},
			{EndpointName: "device", EndpointType: "default", Paths: []string{"10252/0/2"}},
			{EndpointType: "other"},
		}))
		r.heard(me)
		r.wasAsked()
		r.Registered(r.record)
		r.wasAsked() // the answer to the registration goes first
		time.Sleep(2 * time.Second)
		r.wasAsked("GET /3200/0/5501 observe 0")
		r.notify(auto, 2, "auto")
		r.notify(r.tokens[0], 2, "later")
		r.wants(r.heard(me), "/3200/0/5501 now", "/10252/0/2 auto", "/3200/0/5501 later")
		paths, err := r.Subscribed(r.t.Context(), me, "device")
		must(t, err)
		r.wants(paths, "/10252/0/2", "/3200/0/5501")

		must(t, r.SetPresubscriptions(r.t.Context(), me, []cloud.Presubscription{{}}))
		r.wasAsked()
		r.restart()
		r.heard(me)
		r.RegistrationUpdated(r.record)
		time.Sleep(2 * time.Second)
		r.wasAsked("GET /3/0/13 observe 0", "GET /3200/0/5501 observe 0")
		must(t, r.Unsubscribe(r.t.Context(), me, "device", "/3/0/13", "/10252/0/2"))
		r.wasAsked("GET /3/0/13 observe 1")
		r.heard(me)
		r.notify(auto, 3, "x")
		r.wants(r.heard(me))
		r.KeyChanged("mine", cloud.KeyDeleted)
		if len(r.Presubscriptions(me)) > 0 || r.notify(r.tokens[0], 9, "x") {
			t.Error("the key's rules outlive it")
		}
	})
}

func TestWhatRulesDoNotSubscribeToAnyMoreEndsAtOnce(t *testing.T) {
	reporting(t, func(r *reporter) {
		all := []cloud.Presubscription{{}}
		must(t, r.SetPresubscriptions(r.t.Context(), me, all))
		must(t, r.SetPresubscriptions(r.t.Context(), friend, []cloud.Presubscription{{Paths: []string{"/3/0/13"}}}))
		r.Registered(r.record)
		time.Sleep(2 * time.Second)
		r.wasAsked("GET /3/0/13 observe 0", "GET /3200/0/5501 observe 0")
		must(t, r.SetPresubscriptions(r.t.Context(), me, all)) // as programs do when they start
		r.wasAsked()
		must(t, r.SetPresubscriptions(r.t.Context(), me, []cloud.Presubscription{{Paths: []string{"/10252/*"}}}))
		r.wasAsked("GET /3200/0/5501 observe 1")
		paths, err := r.Subscribed(r.t.Context(), me, "device")
		must(t, err)
		r.wants(paths, "/10252/0/2")
		must(t, r.SetPresubscriptions(r.t.Context(), friend, nil))
		r.wasAsked("GET /3/0/13 observe 1")
	})
}

func TestALotOfRulesDoNotFillTheDevicesQueue(t *testing.T) {
	reporting(t, func(r *reporter) {
		r.record.Links = nil
		for i := range 100 {
			r.record.Links = append(r.record.Links, cloud.Link{Path: fmt.Sprintf("/3200/%d/5501", i), Attributes: map[string]string{"obs": ""}})
		}
		must(t, r.SetPresubscriptions(r.t.Context(), me, []cloud.Presubscription{{}}))
		r.Registered(r.record)
		request := read("mine")
		request.Path = "/3200/0/5501"
		r.send(request)
		time.Sleep(2 * time.Second)
		if r.times() != 101 {
			t.Errorf("asked %d times", r.times())
		}
	})
}

func TestRulesThatAreTooManyOrTooLongAreRefused(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		paths := func(n int) (all []string) {
			for i := range n {
				all = append(all, fmt.Sprint("/", i))
			}
			return all
		}
		long := strings.Repeat("ü", 64)
		for name, c := range map[string]struct {
			rules []cloud.Presubscription
			fit   bool
		}{
			"as many as allowed":     {make([]cloud.Presubscription, 1024), true},
			"too many":               {make([]cloud.Presubscription, 1025), false},
			"as many paths":          {[]cloud.Presubscription{{Paths: paths(200)}, {Paths: paths(256)}}, true},
			"too many paths":         {[]cloud.Presubscription{{Paths: paths(257)}}, false},
			"long names":             {[]cloud.Presubscription{{EndpointName: long + "*", EndpointType: long}}, true},
			"a longer name":          {[]cloud.Presubscription{{EndpointName: long + "x"}}, false},
			"a longer type":          {[]cloud.Presubscription{{EndpointType: long + "x"}}, false},
			"a long path":            {[]cloud.Presubscription{{Paths: []string{strings.Repeat("/a", 64)}}}, true},
			"a longer path":          {[]cloud.Presubscription{{Paths: []string{strings.Repeat("/a", 65)}}}, false},
			"a wildcard in a path":   {[]cloud.Presubscription{{Paths: []string{"/*/0"}}}, false},
			"a wildcard in the type": {[]cloud.Presubscription{{EndpointType: "a*"}}, false},
			"no path":                {[]cloud.Presubscription{{Paths: []string{"/"}}}, false},
			"everything":             {[]cloud.Presubscription{{Paths: []string{"*", "/*"}}}, true},
		} {
			before := s.Presubscriptions(me)
			err := s.SetPresubscriptions(s.t.Context(), me, c.rules)
			if c.fit != (err == nil) || err != nil && !errors.Is(err, cloud.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
			if err != nil && !slices.EqualFunc(before, s.Presubscriptions(me), func(a, b cloud.Presubscription) bool { return a.EndpointName == b.EndpointName }) {
				t.Errorf("%s: refused and taken", name)
			}
		}
	})
}

func TestASleepingDeviceIsSubscribedToWhenItWakes(t *testing.T) {
	reporting(t, func(r *reporter) {
		r.record.Binding = "UQ"
		r.subscribe(me, "/3/0/13")
		r.wasAsked()
		time.Sleep(5 * time.Minute)
		r.wasAsked()
		r.RegistrationUpdated(r.record)
		time.Sleep(2 * time.Second)
		r.wasAsked("GET /3/0/13 observe 0")
		if got := r.heard(me); !slices.Contains(got, "200 now") {
			t.Errorf("heard %q", got)
		}
	})
}
