package coap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mbl/internal/coap"
	"mbl/internal/coap/coaptest"
)

// peer is the other end of a session under test, played by hand.
type peer struct {
	t    *testing.T
	conn *coaptest.Conn
}

// quick makes lost messages come again soon and keeps handlers unhurried.
func quick() coap.SessionConfig {
	return coap.SessionConfig{
		AckTimeout:      20 * time.Millisecond,
		ResponseTimeout: 5 * time.Second,
		SeparateAfter:   5 * time.Second,
		MaxBody:         4096,
	}
}

// start runs a session against a peer played by hand.
func start(t *testing.T, handler coap.Handler, cfg coap.SessionConfig) (*coap.Session, *peer) {
	t.Helper()
	ours, theirs := coaptest.Pipe()
	session := coap.NewSession(ours, handler, cfg)
	serve(t, session)
	return session, &peer{t, theirs}
}

func serve(t *testing.T, session *coap.Session) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = session.Serve(context.Background())
	}()
	t.Cleanup(func() {
		_ = session.Close()
		<-ended
	})
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (p *peer) receive() *coap.Message {
	p.t.Helper()
	raw, err := p.conn.ReadMessage(patience(p.t))
	if err != nil {
		p.t.Fatalf("nothing received: %v", err)
	}
	m, err := coap.ParseMessage(raw)
	if err != nil {
		p.t.Fatalf("received %x: %v", raw, err)
	}
	return m
}

func (p *peer) send(m *coap.Message) {
	p.t.Helper()
	raw, err := m.Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	p.sendRaw(raw)
}

func (p *peer) sendRaw(raw []byte) {
	p.t.Helper()
	if err := p.conn.WriteMessage(raw); err != nil {
		p.t.Fatal(err)
	}
}

// expect receives a message and checks what it is.
func (p *peer) expect(kind coap.Type, code coap.Code) *coap.Message {
	p.t.Helper()
	m := p.receive()
	if m.Type != kind || m.Code != code {
		p.t.Fatalf("received %s, want %s %s", m, kind, code)
	}
	return m
}

// silent checks, by a ping, that the session has nothing (more) to say.
func (p *peer) silent() {
	p.t.Helper()
	p.send(&coap.Message{Type: coap.Confirmable, ID: 0xfffe})
	if m := p.receive(); m.Type != coap.Reset || m.ID != 0xfffe {
		p.t.Fatalf("received %s, want only the answer to the ping", m)
	}
}

type result struct {
	response *coap.Response
	err      error
}

func do(ctx context.Context, session *coap.Session, req *coap.Request) <-chan result {
	done := make(chan result, 1)
	go func() {
		response, err := session.Do(ctx, req)
		done <- result{response, err}
	}()
	return done
}

func read() *coap.Request {
	return &coap.Request{Code: coap.GET, Path: []string{"3", "0", "0"}}
}

func TestAnswerInAcknowledgement(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, read())
	m := device.expect(coap.Confirmable, coap.GET)
	device.send(&coap.Message{Type: coap.Acknowledgement, Code: coap.Content, ID: m.ID, Token: m.Token, Payload: []byte("maker")})
	if r := <-done; r.err != nil || string(r.response.Payload) != "maker" {
		t.Fatalf("got %+v", r)
	}
}

func TestAnswerInAcknowledgementWithoutTokenIsAccepted(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, read())
	m := device.expect(coap.Confirmable, coap.GET)
	device.send(&coap.Message{Type: coap.Acknowledgement, Code: coap.Content, ID: m.ID})
	if r := <-done; r.err != nil || r.response.Code != coap.Content {
		t.Fatalf("got %+v", r)
	}
}

func TestSeparateAnswerIsAcknowledgedEachTimeAndGivenOnce(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, read())
	m := device.expect(coap.Confirmable, coap.GET)
	device.sendRaw([]byte{0x60, 0x00, byte(m.ID >> 8), byte(m.ID), 0xc0}) // as the original client does
	answer := &coap.Message{Type: coap.Confirmable, Code: coap.Content, ID: m.ID, Token: m.Token}
	for range 3 {
		device.send(answer)
		if ack := device.expect(coap.Acknowledgement, coap.Empty); ack.ID != answer.ID || len(ack.Token) > 0 {
			t.Fatalf("acknowledged with %s", ack)
		}
	}
	if r := <-done; r.err != nil || r.response.Code != coap.Content {
		t.Fatalf("got %+v", r)
	}
	device.silent()
}

func TestLostRequestIsRepeatedUnchanged(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, read())
	first := device.expect(coap.Confirmable, coap.GET)
	second := device.expect(coap.Confirmable, coap.GET)
	if first.ID != second.ID || !bytes.Equal(first.Token, second.Token) {
		t.Errorf("repeated %s as %s", first, second)
	}
	device.send(&coap.Message{Type: coap.Acknowledgement, Code: coap.NotFound, ID: first.ID, Token: first.Token})
	if r := <-done; r.err != nil || r.response.Code != coap.NotFound {
		t.Fatalf("got %+v", r)
	}
}

func TestSilentPeerIsGivenUp(t *testing.T) {
	cfg := quick()
	cfg.AckTimeout = time.Millisecond
	session, device := start(t, nil, cfg)
	if _, err := session.Do(patience(t), read()); !errors.Is(err, coap.ErrTimeout) {
		t.Fatalf("got %v", err)
	}
	for range 5 {
		device.expect(coap.Confirmable, coap.GET)
	}
	device.silent()
}

func TestResetEndsTheRequest(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, read())
	m := device.expect(coap.Confirmable, coap.GET)
	device.send(&coap.Message{Type: coap.Reset, ID: m.ID})
	if r := <-done; !errors.Is(r.err, coap.ErrReset) {
		t.Fatalf("got %+v", r)
	}
}

func TestOneRequestIsInFlightAtATime(t *testing.T) {
	cfg := quick()
	cfg.AckTimeout = 10 * time.Second
	session, device := start(t, nil, cfg)
	results := []<-chan result{do(patience(t), session, read()), do(patience(t), session, read())}
	pinged := make(chan error, 1)
	go func() { pinged <- session.Ping(patience(t)) }()
	for range 3 {
		m := device.receive()
		device.silent()
		if m.Code == coap.Empty {
			device.send(&coap.Message{Type: coap.Reset, ID: m.ID})
			continue
		}
		device.send(&coap.Message{Type: coap.Acknowledgement, ID: m.ID})
		device.silent() // acknowledged, but not answered
		device.send(&coap.Message{Type: coap.NonConfirmable, Code: coap.Content, ID: 1 + m.ID, Token: m.Token})
	}
	for _, done := range results {
		if r := <-done; r.err != nil {
			t.Error(r.err)
		}
	}
	if err := <-pinged; err != nil {
		t.Error(err)
	}
}

func TestCancelledRequestStopsAtOnce(t *testing.T) {
	session, device := start(t, nil, coap.SessionConfig{})
	ctx, cancel := context.WithCancel(patience(t))
	done := do(ctx, session, read())
	m := device.expect(coap.Confirmable, coap.GET)
	cancel()
	if r := <-done; !errors.Is(r.err, context.Canceled) {
		t.Fatalf("got %+v", r)
	}
	device.send(&coap.Message{Type: coap.Confirmable, Code: coap.Content, ID: 9, Token: m.Token})
	device.expect(coap.Reset, coap.Empty) // nobody waits for it any more
}

func TestClosingAnswersEverybodyWhoWaits(t *testing.T) {
	session, device := start(t, nil, coap.SessionConfig{})
	first, second := do(patience(t), session, read()), do(patience(t), session, read())
	device.expect(coap.Confirmable, coap.GET)
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	for _, done := range []<-chan result{first, second} {
		if r := <-done; !errors.Is(r.err, coap.ErrClosed) {
			t.Errorf("got %+v", r)
		}
	}
	<-session.Done()
}

func TestServeEndsWellWhenThePeerCloses(t *testing.T) {
	ours, theirs := coaptest.Pipe()
	session := coap.NewSession(ours, nil, quick())
	_ = theirs.Close()
	if err := session.Serve(patience(t)); err != nil {
		t.Fatal(err)
	}
	<-session.Done()
}

func TestServeEndsWithItsContext(t *testing.T) {
	ours, theirs := coaptest.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := coap.NewSession(ours, nil, quick()).Serve(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := theirs.ReadMessage(patience(t)); err == nil {
		t.Error("the connection is still open")
	}
}

func TestPings(t *testing.T) {
	session, device := start(t, nil, quick())
	device.silent()
	pinged := make(chan error, 1)
	go func() { pinged <- session.Ping(patience(t)) }()
	m := device.expect(coap.Confirmable, coap.Empty)
	device.send(&coap.Message{Type: coap.Reset, ID: m.ID})
	if err := <-pinged; err != nil {
		t.Fatal(err)
	}
}

func TestAnswerIsConfirmedBeforeItIsAcknowledged(t *testing.T) {
	session, device := start(t, nil, quick())
	confirming, goOn := make(chan struct{}), make(chan struct{})
	req := &coap.Request{Code: coap.POST, Path: []string{"bs"}, Confirm: func(r *coap.Response) error {
		close(confirming)
		<-goOn
		return nil
	}}
	done := do(patience(t), session, req)
	m := device.expect(coap.Confirmable, coap.POST)
	device.send(&coap.Message{Type: coap.Acknowledgement, ID: m.ID})
	answer := &coap.Message{Type: coap.Confirmable, Code: coap.Changed, ID: 77, Token: m.Token}
	device.send(answer)
	<-confirming
	device.send(answer)
	device.silent()
	close(goOn)
	device.expect(coap.Acknowledgement, coap.Empty)
	if r := <-done; r.err != nil {
		t.Fatal(r.err)
	}
}

func TestAnswerThatIsNotConfirmedIsNotAcknowledged(t *testing.T) {
	session, device := start(t, nil, quick())
	failure := errors.New("disk is full")
	req := &coap.Request{Code: coap.POST, Confirm: func(*coap.Response) error { return failure }}
	done := do(patience(t), session, req)
	m := device.expect(coap.Confirmable, coap.POST)
	device.send(&coap.Message{Type: coap.Confirmable, Code: coap.Changed, ID: 77, Token: m.Token})
	if r := <-done; !errors.Is(r.err, failure) {
		t.Fatalf("got %+v", r)
	}
	device.silent()
}

func TestUnexpectedMessagesAreRejectedAndEndNothing(t *testing.T) {
	_, device := start(t, nil, quick())
	for name, raw := range map[string][]byte{
		"response nobody asked for": {0x41, 0x45, 0, 1, 0xaa},
		"signalling code":           {0x40, 0xe1, 0, 2},
		"malformed":                 {0x40, 0x01, 0, 3, 0xf0},
	} {
		device.sendRaw(raw)
		if m := device.expect(coap.Reset, coap.Empty); m.ID != uint16(raw[3]) {
			t.Errorf("%s: rejected with %s", name, m)
		}
	}
	for _, raw := range [][]byte{{}, {0x40}, {0x80, 1, 0, 4}, {0x50, 0, 0, 5}, {0x60, 0, 0, 6}, {0x70, 0, 0, 7}, {0x60, 1, 0, 8}, {0x51, 0x45, 0, 9, 1}} {
		device.sendRaw(raw)
	}
	device.silent()
}

// counting is a handler that counts and answers 2.04.
func counting(n *atomic.Int32) coap.Handler {
	return func(context.Context, *coap.Request) *coap.Response {
		n.Add(1)
		return &coap.Response{Code: coap.Changed}
	}
}

func TestRepeatedRequestIsAnsweredFromMemory(t *testing.T) {
	var handled atomic.Int32
	_, device := start(t, counting(&handled), quick())
	request := &coap.Message{Type: coap.Confirmable, Code: coap.POST, ID: 300, Token: []byte("t")}
	for range 3 {
		device.send(request)
		if m := device.expect(coap.Acknowledgement, coap.Changed); m.ID != 300 || string(m.Token) != "t" {
			t.Fatalf("answered %s", m)
		}
	}
	if handled.Load() != 1 {
		t.Errorf("handled %d times", handled.Load())
	}
}

func TestSameMessageIDWithOtherContentIsNoRepetition(t *testing.T) {
	var handled atomic.Int32
	_, device := start(t, counting(&handled), quick())
	for _, token := range []string{"a", "b"} {
		device.send(&coap.Message{Type: coap.Confirmable, Code: coap.POST, ID: 300, Token: []byte(token)})
		device.expect(coap.Acknowledgement, coap.Changed)
	}
	if handled.Load() != 2 {
		t.Errorf("handled %d times", handled.Load())
	}
}

func TestSlowHandlerAnswersSeparatelyAndRepeatsUntilAcknowledged(t *testing.T) {
	cfg := quick()
	cfg.SeparateAfter = time.Millisecond
	goOn, followed := make(chan struct{}), make(chan struct{})
	_, device := start(t, func(context.Context, *coap.Request) *coap.Response {
		<-goOn
		return &coap.Response{Code: coap.Created, Then: func(context.Context) { close(followed) }}
	}, cfg)
	device.send(&coap.Message{Type: coap.Confirmable, Code: coap.POST, ID: 8, Token: []byte("t")})
	device.expect(coap.Acknowledgement, coap.Empty)
	device.send(&coap.Message{Type: coap.Confirmable, Code: coap.POST, ID: 8, Token: []byte("t")})
	device.expect(coap.Acknowledgement, coap.Empty)
	close(goOn)
	first := device.expect(coap.Confirmable, coap.Created)
	again := device.expect(coap.Confirmable, coap.Created)
	if first.ID != again.ID || string(first.Token) != "t" {
		t.Errorf("answered %s and %s", first, again)
	}
	device.send(&coap.Message{Type: coap.Acknowledgement, ID: first.ID})
	<-followed
}

func TestASeparateResponseIsFollowedByWhatComesOnceItIsAcknowledged(t *testing.T) {
	acknowledged, followed := make(chan struct{}), make(chan bool, 1)
	_, device := start(t, func(context.Context, *coap.Request) *coap.Response {
		return &coap.Response{Code: coap.Changed, Separate: true, Then: func(context.Context) {
			select {
			case <-acknowledged:
				followed <- true
			default:
				followed <- false
			}
		}}
	}, quick())
	device.send(&coap.Message{Type: coap.Confirmable, Code: coap.POST, ID: 8, Token: []byte("t")})
	if m := device.expect(coap.Acknowledgement, coap.Empty); m.ID != 8 {
		t.Errorf("acknowledged %s", m)
	}
	response := device.expect(coap.Confirmable, coap.Changed)
	if again := device.expect(coap.Confirmable, coap.Changed); again.ID != response.ID || string(again.Token) != "t" {
		t.Errorf("repeated %s as %s", response, again)
	}
	close(acknowledged)
	device.send(&coap.Message{Type: coap.Acknowledgement, ID: response.ID})
	if !<-followed {
		t.Error("what follows came before the acknowledgement")
	}
}

func TestResponseIsSentBeforeWhatFollowsIt(t *testing.T) {
	var session *coap.Session
	ours, theirs := coaptest.Pipe()
	session = coap.NewSession(ours, func(context.Context, *coap.Request) *coap.Response {
		return &coap.Response{Code: coap.Changed, Then: func(ctx context.Context) {
			_, _ = session.Do(ctx, &coap.Request{Code: coap.DELETE, Path: []string{"0"}})
		}}
	}, quick())
	serve(t, session)
	device := &peer{t, theirs}
	device.send(&coap.Message{Type: coap.Confirmable, Code: coap.POST, ID: 8})
	device.expect(coap.Acknowledgement, coap.Changed)
	device.expect(coap.Confirmable, coap.DELETE)
}

func TestRequestsForWhatWeAreNotAreRefused(t *testing.T) {
	var handled atomic.Int32
	_, device := start(t, counting(&handled), quick())
	for i, c := range []struct {
		id    coap.OptionID
		value string
		want  coap.Code
	}{
		{coap.ProxyURI, "http://example.com", coap.ProxyingNotSupported},
		{coap.ProxyScheme, "http", coap.ProxyingNotSupported},
		{1, "tag", coap.BadOption}, // If-Match: critical, and unknown here
	} {
		request := &coap.Message{Type: coap.Confirmable, Code: coap.GET, ID: uint16(i)}
		request.Options.Add(c.id, []byte(c.value))
		device.send(request)
		device.expect(coap.Acknowledgement, c.want)
	}
	if handled.Load() != 0 {
		t.Error("handled all the same")
	}
}

func TestMoreRequestsAtOnceThanAllowedAreLeftForLater(t *testing.T) {
	goOn := make(chan struct{})
	_, device := start(t, func(context.Context, *coap.Request) *coap.Response {
		<-goOn
		return &coap.Response{Code: coap.Changed}
	}, quick())
	for id := range uint16(5) {
		device.send(&coap.Message{Type: coap.Confirmable, Code: coap.POST, ID: id})
	}
	device.silent()
	close(goOn)
	for range 4 {
		device.expect(coap.Acknowledgement, coap.Changed)
	}
	device.send(&coap.Message{Type: coap.Confirmable, Code: coap.POST, ID: 4})
	if m := device.expect(coap.Acknowledgement, coap.Changed); m.ID != 4 {
		t.Errorf("answered %s", m)
	}
}

// Two sessions over a connection that loses a third of all messages: bodies of
// many blocks arrive whole, and every request is handled once.
func TestLossyConnection(t *testing.T) {
	a, b := coaptest.Pipe()
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	lose := func([]byte) bool {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(3) == 0
	}
	a.Lose, b.Lose = lose, lose
	cfg := quick()
	cfg.AckTimeout, cfg.MaxRetransmit = 2*time.Millisecond, 12
	cfg.SeparateAfter = 3 * time.Millisecond
	handled := map[string]int{}
	server := coap.NewSession(a, func(_ context.Context, req *coap.Request) *coap.Response {
		mu.Lock()
		handled[string(req.Payload[:2])]++
		slow := random.IntN(2) == 0
		mu.Unlock()
		if slow {
			time.Sleep(5 * time.Millisecond)
		}
		return &coap.Response{Code: coap.Changed, Payload: req.Payload}
	}, cfg)
	client := coap.NewSession(b, nil, cfg)
	serve(t, server)
	serve(t, client)
	for i := range 20 {
		body := bytes.Repeat([]byte(fmt.Sprintf("%02d", i)), 700)
		response, err := client.Do(patience(t), &coap.Request{Code: coap.POST, Path: []string{"echo"}, Payload: body})
		if err != nil || !bytes.Equal(response.Payload, body) {
			t.Fatalf("%d: %v, %v", i, response, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for name, n := range handled {
		if n != 1 {
			t.Errorf("%s handled %d times", name, n)
		}
	}
}
