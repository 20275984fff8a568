package lwm2m

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/coap/coaptest"
)

// mishap is what a network does to one message.
type mishap struct {
	up    bool // from the client
	index int  // of the message, among those of its direction
	what  string
}

func mishapKinds() []string { return []string{"lost", "doubled", "delayed", "very late", "late copy"} }

// everyMishap are those that can happen to so many messages.
func everyMishap(ups, downs int) []mishap {
	var all []mishap
	for _, kind := range mishapKinds() {
		for i := range ups {
			all = append(all, mishap{true, i, kind})
		}
		for i := range downs {
			all = append(all, mishap{false, i, kind})
		}
	}
	return all
}

// badNetwork carries messages between a client and a server.
type badNetwork struct {
	ctx     context.Context
	mishaps []mishap

	mu    sync.Mutex
	count map[bool]int // messages so far, by direction
}

func (n *badNetwork) carry(from, to *coaptest.Conn, up bool) {
	for {
		message, err := from.ReadMessage(n.ctx)
		if err != nil {
			_ = to.Close()
			return
		}
		pass := func() { _ = to.WriteMessage(message) }
		switch n.next(up) {
		case "lost":
		case "doubled":
			pass()
			pass()
		case "delayed":
			time.AfterFunc(time.Second, pass)
		case "very late":
			time.AfterFunc(6*time.Second, pass)
		case "late copy":
			pass()
			time.AfterFunc(10*time.Second, pass)
		default:
			pass()
		}
	}
}

// next counts a message, and tells what is to happen to it.
func (n *badNetwork) next(up bool) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	index := n.count[up]
	n.count[up]++
	i := slices.IndexFunc(n.mishaps, func(m mishap) bool { return m.up == up && m.index == index })
	if i < 0 {
		return ""
	}
	return n.mishaps[i].what
}

func (n *badNetwork) counts() (ups, downs int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count[true], n.count[false]
}

// originalOver connects a model of the original client by a bad network.
func (s *servers) originalOver(role string, mishaps []mishap) (*original, *badNetwork) {
	network := &badNetwork{ctx: s.ctx, mishaps: mishaps, count: map[bool]int{}}
	certificate := subject("L=" + deviceID + " OU=account CN=endpoint")
	clientEnd, up := coaptest.Pipe()
	var down *coaptest.Conn
	s.connectOver(func(*recordedConnection) (client, server coap.Conn) {
		near, far := coaptest.Pipe()
		down, far.Peer = near, certificate
		return near, far
	}, role, &recordedConnection{certificate: certificate})
	go network.carry(up, down, true)
	go network.carry(down, up, false)
	client := newOriginal(s.ctx, clientEnd)
	go client.serve()
	s.t.Cleanup(func() { _ = clientEnd.Close() })
	return client, network
}

// bootstrapDespite has a client bootstrap, and returns how many messages it took.
func bootstrapDespite(t *testing.T, mishaps ...mishap) (ups, downs int) {
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{grants: []*cloud.BootstrapGrant{grantFor(deviceID)}}
		s := newServersFor(t, service, time.Hour)
		client, network := s.originalOver(bootstrap, mishaps)
		code, err := client.request(coap.POST, "bs?ep=endpoint&aid=account&mccv=4.13.2", nil)
		if err != nil || code != coap.Changed {
			t.Errorf("%v: answered %v, %v", mishaps, code, err)
		}
		select {
		case err := <-client.finished:
			if err != nil {
				t.Errorf("%v: %v", mishaps, err)
			}
		case <-client.ended: // given up, unless all else is as it should be
		}
		<-client.ended
		synctest.Wait()
		if len(client.writes) != 1 || !strings.Contains(client.writes[0], "coaps://localhost:5684") {
			t.Errorf("%v: written were %q", mishaps, client.writes)
		}
		if len(service.finished) != 1 || len(service.aborted) != 0 {
			t.Errorf("%v: finished %q, aborted %q", mishaps, service.finished, service.aborted)
		}
		ups, downs = network.counts()
	})
	return ups, downs
}

// Whatever one or two messages meet with, an original client bootstraps once.
func TestAnOriginalClientBootstrapsOverABadNetwork(t *testing.T) {
	all := everyMishap(bootstrapDespite(t))
	for i, one := range all {
		bootstrapDespite(t, one)
		for _, other := range all[i+1:] {
			bootstrapDespite(t, one, other)
		}
	}
}

// heard is what devices notify of.
type heard struct {
	mu   sync.Mutex
	news []string
}

func (*heard) Observed(context.Context, string, []byte) ([]string, bool) {
	return []string{"5", "0", "1"}, true
}

func (h *heard) Notified(_ context.Context, _ string, token []byte, n *coap.Response) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.news = append(h.news, fmt.Sprintf("%x:%.6s/%d", token, n.Payload, len(n.Payload)))
}

// manageDespite has a client register, notify while it is asked for all sorts of
// things, update and de-register.
func manageDespite(t *testing.T, mishaps ...mishap) (ups, downs int) {
	synctest.Test(t, func(t *testing.T) {
		service, news := &fakeService{}, &heard{}
		s := newServersFor(t, service, time.Hour)
		s.management.grace = time.Hour
		s.management.UseObserver(news)
		client, network := s.originalOver(management, mishaps)
		request := func(code coap.Code, target string, body []byte, want coap.Code) {
			if got, err := client.request(code, target, body); got != want || err != nil {
				t.Errorf("%v: %s %s: %v, %v", mishaps, code, target, got, err)
			}
		}
		ask := func(want string, req *coap.Request) {
			answer, err := s.management.Do(s.ctx, deviceID, req)
			if err != nil || fmt.Sprintf("%v %s", answer.Code, answer.Payload) != want {
				t.Errorf("%v: %s %q: %+v, %v", mishaps, req.Code, req.Path, answer, err)
			}
		}
		request(coap.POST, "rd?ep=endpoint&lt=600&mccv=4.13.2", bytes.Repeat([]byte(`</3/0/0>;v="maker";obs,`), 60), coap.Created)
		var notifying sync.WaitGroup
		notifying.Go(func() {
			for number, value := range []string{"first", client.large, "third"} {
				if err := client.notify(uint32(number), value); err != nil {
					t.Errorf("%v: notification %d: %v", mishaps, number, err)
				}
			}
		})
		large := []byte(client.large)
		ask("2.05 3/0/1, asked for 1 times", &coap.Request{Code: coap.GET, Path: []string{"3", "0", "1"}})
		ask("2.05 "+client.large, &coap.Request{Code: coap.GET, Path: []string{"5", "0", "1"}})
		ask("2.04 ", &coap.Request{Code: coap.PUT, Path: []string{"3", "0", "2"}, Payload: []byte("small")})
		ask("2.04 ", &coap.Request{Code: coap.PUT, Path: []string{"3", "0", "2"}, Payload: large})
		ask("2.04 ", &coap.Request{Code: coap.POST, Path: []string{"3", "0", "4"}})
		ask("2.05 3/0/1, asked for 2 times", &coap.Request{Code: coap.GET, Path: []string{"3", "0", "1"}})
		notifying.Wait()
		request(coap.POST, "rd/account/"+deviceID, nil, coap.Changed)
		request(coap.DELETE, "rd/account/"+deviceID, nil, coap.Deleted)
		synctest.Wait()
		if client.executed != 1 || !slices.Equal(client.writes, []string{"small", client.large}) {
			t.Errorf("%v: executed %d times, written %d", mishaps, client.executed, len(client.writes))
		}
		if want := []string{"0383:first/5", "0383:012345/1600", "0383:third/5"}; !slices.Equal(news.news, want) {
			t.Errorf("%v: heard %q", mishaps, news.news)
		}
		if len(service.registrations) != 1 || len(service.updates) != 1 || service.gone != 1 {
			t.Errorf("%v: %d registrations, %d updates, %d ends", mishaps, len(service.registrations), len(service.updates), service.gone)
		}
		ups, downs = network.counts()
	})
	return ups, downs
}

// Whatever a message and one of those about it meet with, each is understood
// once and answered rightly.
func TestAnOriginalClientIsManagedOverABadNetwork(t *testing.T) {
	all := everyMishap(manageDespite(t))
	for i, one := range all {
		manageDespite(t, one)
		for _, other := range all[i+1:] {
			if distance := one.index - other.index; distance >= -1 && distance <= 1 {
				manageDespite(t, one, other)
			}
		}
	}
}
