package coap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"mbl/internal/coap"
	"mbl/internal/coap/coaptest"
)

// observer knows the observations with the tokens 0383 (of /3/0/0) and 0384
// (of it knows not what), and passes on what it is notified of.
type observer struct{ got chan string }

func (observer) Observed(_ context.Context, token []byte) (path []string, known bool) {
	switch fmt.Sprintf("%x", token) {
	case "0383":
		return []string{"3", "0", "0"}, true
	case "0384":
		return nil, true
	default:
		return nil, false
	}
}

func (o observer) Notified(_ context.Context, token []byte, n *coap.Response) {
	number := "none"
	if n.Observe != nil {
		number = fmt.Sprint(*n.Observe)
	}
	o.got <- fmt.Sprintf("%x %s %s %s", token, n.Code, number, n.Payload)
}

func observed(t *testing.T) (observer, *coap.Session, *peer) {
	t.Helper()
	ours, theirs := coaptest.Pipe()
	session := coap.NewSession(ours, nil, quick())
	o := observer{make(chan string, 10)}
	session.Observe(o)
	serve(t, session)
	return o, session, &peer{t, theirs}
}

func notification(id uint16, token []byte, number uint32, payload string) *coap.Message {
	m := &coap.Message{Type: coap.Confirmable, Code: coap.Content, ID: id, Token: token, Payload: []byte(payload)}
	m.Options.AddUint(coap.Observe, number)
	return m
}

func (o observer) wants(t *testing.T, wanted string) {
	t.Helper()
	if got := <-o.got; got != wanted {
		t.Errorf("notified of %q, want %q", got, wanted)
	}
}

func TestNotificationsAreKeptAndThenAcknowledged(t *testing.T) {
	o, _, device := observed(t)
	m := notification(5, []byte{3, 0x83}, 12, "4")
	device.send(m)
	device.expect(coap.Acknowledgement, coap.Empty)
	device.send(m) // its acknowledgement was lost
	device.expect(coap.Acknowledgement, coap.Empty)
	o.wants(t, "0383 2.05 12 4")
	device.send(&coap.Message{Type: coap.Confirmable, Code: coap.NotFound, ID: 6, Token: []byte{3, 0x83}})
	device.expect(coap.Acknowledgement, coap.Empty)
	o.wants(t, "0383 4.04 none ")
	if len(o.got) > 0 {
		t.Errorf("notified of %q too", <-o.got)
	}
}

func TestNotificationsNobodyWantsAreRejected(t *testing.T) {
	o, _, device := observed(t)
	for id, kind := range []coap.Type{coap.Confirmable, coap.NonConfirmable} {
		m := notification(uint16(id), []byte{9, 9}, 1, "x")
		m.Type = kind
		device.send(m)
		if answer := device.expect(coap.Reset, coap.Empty); answer.ID != m.ID {
			t.Errorf("%s: rejected with %s", m, answer)
		}
	}
	if len(o.got) > 0 {
		t.Errorf("notified of %q", <-o.got)
	}
}

// The notification came with the token of a request whose answer had arrived
// but had not been looked at yet.
func TestNotificationRightBehindItsAnswer(t *testing.T) {
	o, session, device := observed(t)
	answered, goOn := make(chan struct{}), make(chan struct{})
	req := &coap.Request{Code: coap.GET, Observe: new(uint32(0)), Token: []byte{3, 0x83}, Confirm: func(*coap.Response) error {
		close(answered)
		<-goOn
		return nil
	}}
	done := do(patience(t), session, req)
	m := device.expect(coap.Confirmable, coap.GET)
	answer := &coap.Message{Type: coap.Acknowledgement, Code: coap.Content, ID: m.ID, Token: m.Token}
	answer.Options.AddUint(coap.Observe, 0)
	device.send(answer)
	<-answered
	device.send(notification(5, m.Token, 2, ""))
	device.expect(coap.Acknowledgement, coap.Empty)
	close(goOn)
	if r := <-done; r.err != nil || *r.response.Observe != 0 {
		t.Fatalf("got %+v", r)
	}
	o.wants(t, "0383 2.05 2 ")
}

func TestLargeNotificationIsFetchedInBlocks(t *testing.T) {
	o, _, device := observed(t)
	whole := body(1100)
	first := notification(5, []byte{3, 0x83}, 7, string(whole[:512]))
	first.Options.AddUint(coap.Block2, blockValue(0, true, 5))
	device.send(first)
	device.expect(coap.Acknowledgement, coap.Empty) // before anything is asked
	for number := uint32(1); number < 3; number++ {
		m := device.expect(coap.Confirmable, coap.GET)
		wantUint(t, m, coap.Block2, blockValue(number, false, 5))
		if bytes.Equal(m.Token, first.Token) || fmt.Sprint(m.Options.Strings(coap.URIPath)) != "[3 0 0]" {
			t.Errorf("fetched by %s of %v", m, m.Options.Strings(coap.URIPath))
		}
		if _, observes := m.Options.Get(coap.Observe); observes {
			t.Error("fetching a block observes again")
		}
		answer := &coap.Message{Type: coap.Acknowledgement, Code: coap.Content, ID: m.ID, Token: m.Token}
		answer.Options.AddUint(coap.Block2, blockValue(number, number < 2, 5))
		answer.Payload = whole[number*512 : min(len(whole), int(number+1)*512)]
		device.send(answer)
	}
	o.wants(t, "0383 2.05 7 "+string(whole))
}

func TestNotificationThatChangesWhileItIsFetchedIsReadAnew(t *testing.T) {
	o, _, device := observed(t)
	first := notification(5, []byte{3, 0x83}, 7, string(body(512)))
	first.Options.AddUint(coap.Block2, blockValue(0, true, 5))
	device.send(first)
	device.expect(coap.Acknowledgement, coap.Empty)
	m := device.expect(coap.Confirmable, coap.GET)
	device.send(&coap.Message{Type: coap.Acknowledgement, Code: coap.BadOption, ID: m.ID, Token: m.Token})
	m = device.expect(coap.Confirmable, coap.GET)
	if _, block := m.Options.Get(coap.Block2); block {
		t.Error("asked for a block again")
	}
	device.send(&coap.Message{Type: coap.Acknowledgement, Code: coap.Content, ID: m.ID, Token: m.Token, Payload: []byte("short now")})
	o.wants(t, "0383 2.05 7 short now")
}

func TestLargeNotificationOfSomethingUnknownIsDropped(t *testing.T) {
	o, _, device := observed(t)
	first := notification(5, []byte{3, 0x84}, 7, string(body(512)))
	first.Options.AddUint(coap.Block2, blockValue(0, true, 5))
	device.send(first)
	device.expect(coap.Acknowledgement, coap.Empty)
	device.send(notification(6, []byte{3, 0x84}, 8, "x"))
	device.expect(coap.Acknowledgement, coap.Empty)
	o.wants(t, "0384 2.05 8 x")
}

func TestNotificationIsRepeatedUntilItIsAcknowledged(t *testing.T) {
	session, server := start(t, nil, quick())
	observation := &coap.Request{Code: coap.GET, Path: []string{"3", "0", "13"}, Token: []byte("token")}
	sent := make(chan error, 1)
	go func() {
		sent <- session.Notify(patience(t), observation, &coap.Response{
			Code: coap.Content, Observe: new(uint32(3)), ContentFormat: new(uint16(0)), Payload: []byte("5"),
		})
	}()
	m := server.expect(coap.Confirmable, coap.Content)
	again := server.expect(coap.Confirmable, coap.Content)
	wantUint(t, m, coap.Observe, 3)
	if m.ID != again.ID || string(m.Token) != "token" || string(m.Payload) != "5" {
		t.Errorf("notified by %s, then %s", m, again)
	}
	server.send(&coap.Message{Type: coap.Acknowledgement, ID: m.ID})
	if err := <-sent; err != nil {
		t.Error(err)
	}
	go func() { sent <- session.Notify(patience(t), observation, &coap.Response{Code: coap.Content}) }()
	m = server.expect(coap.Confirmable, coap.Content)
	server.send(&coap.Message{Type: coap.Reset, ID: m.ID})
	if err := <-sent; !errors.Is(err, coap.ErrReset) {
		t.Errorf("got %v", err)
	}
}

func TestLaterBlocksOfANotificationAreServed(t *testing.T) {
	whole := body(700)
	ours, theirs := coaptest.Pipe()
	sender := coap.NewSession(ours, nil, quick())
	serve(t, sender)
	receiver := coap.NewSession(theirs, nil, quick())
	o := observer{make(chan string, 1)}
	receiver.Observe(o)
	serve(t, receiver)
	observation := &coap.Request{Code: coap.GET, Path: []string{"3", "0", "0"}, Token: []byte{3, 0x83}}
	if err := sender.Notify(patience(t), observation, &coap.Response{Code: coap.Content, Observe: new(uint32(9)), Payload: whole}); err != nil {
		t.Fatal(err)
	}
	o.wants(t, "0383 2.05 9 "+string(whole))
}
