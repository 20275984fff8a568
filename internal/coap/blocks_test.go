package coap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"mbl/internal/coap"
)

// blockValue is a block option's value (RFC 7959 §2.2).
func blockValue(number uint32, more bool, szx uint32) uint32 {
	if more {
		return number<<4 | 8 | szx
	}
	return number<<4 | szx
}

func wantUint(t *testing.T, m *coap.Message, id coap.OptionID, want uint32) {
	t.Helper()
	if got, ok := m.Options.Uint(id); !ok || got != want {
		t.Errorf("%s: option %d is %#x (present: %v), want %#x", m, id, got, ok, want)
	}
}

func body(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i / 100)
	}
	return b
}

func TestLargeBodyIsSentInBlocks(t *testing.T) {
	session, device := start(t, nil, quick())
	whole := body(981)
	done := do(patience(t), session, &coap.Request{
		Code: coap.PUT, Path: []string{"0"}, Query: []string{"a=b"}, ContentFormat: new(uint16(11542)), Payload: whole,
	})
	first := device.expect(coap.Confirmable, coap.PUT)
	wantUint(t, first, coap.Block1, blockValue(0, true, 5))
	wantUint(t, first, coap.Size1, 981)
	more := &coap.Message{Type: coap.Acknowledgement, Code: coap.Continue, ID: first.ID, Token: first.Token}
	more.Options.AddUint(coap.MaxAge, 0)
	more.Options.AddUint(coap.Block1, blockValue(0, true, 5))
	device.send(more)

	second := device.expect(coap.Confirmable, coap.PUT)
	wantUint(t, second, coap.Block1, blockValue(1, false, 5))
	wantUint(t, second, coap.ContentFormat, 11542)
	if _, again := second.Options.Get(coap.Size1); again {
		t.Error("Size1 is in the second block too")
	}
	if second.ID == first.ID || !bytes.Equal(second.Token, first.Token) || second.Options.Strings(coap.URIPath)[0] != "0" ||
		second.Options.Strings(coap.URIQuery)[0] != "a=b" {
		t.Errorf("second block %s %v after %s", second, second.Options, first)
	}
	if got := append(first.Payload, second.Payload...); !bytes.Equal(got, whole) {
		t.Error("the blocks are not the body")
	}
	device.send(&coap.Message{Type: coap.Acknowledgement, Code: coap.Changed, ID: second.ID, Token: second.Token})
	if r := <-done; r.err != nil || r.response.Code != coap.Changed {
		t.Fatalf("got %+v", r)
	}
}

func TestRefusalOfABlockIsTheAnswer(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, &coap.Request{Code: coap.PUT, Payload: body(2000)})
	first := device.expect(coap.Confirmable, coap.PUT)
	device.send(&coap.Message{Type: coap.Acknowledgement, Code: coap.BadRequest, ID: first.ID, Token: first.Token})
	if r := <-done; r.err != nil || r.response.Code != coap.BadRequest {
		t.Fatalf("got %+v", r)
	}
}

func TestPeerMayAskForSmallerBlocks(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, &coap.Request{Code: coap.PUT, Payload: body(600)})
	first := device.expect(coap.Confirmable, coap.PUT)
	more := &coap.Message{Type: coap.Acknowledgement, Code: coap.Continue, ID: first.ID, Token: first.Token}
	more.Options.AddUint(coap.Block1, blockValue(0, true, 2))
	device.send(more)
	second := device.expect(coap.Confirmable, coap.PUT)
	wantUint(t, second, coap.Block1, blockValue(8, true, 2))
	if len(second.Payload) != 64 {
		t.Errorf("second block has %d bytes", len(second.Payload))
	}
	device.send(&coap.Message{Type: coap.Acknowledgement, Code: coap.Changed, ID: second.ID, Token: second.Token})
	<-done
}

func TestContinueWithoutABlockIsAnError(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, &coap.Request{Code: coap.PUT, Payload: body(2000)})
	first := device.expect(coap.Confirmable, coap.PUT)
	device.send(&coap.Message{Type: coap.Acknowledgement, Code: coap.Continue, ID: first.ID, Token: first.Token})
	if r := <-done; !errors.Is(r.err, coap.ErrBlockwise) {
		t.Fatalf("got %+v", r)
	}
}

// sendBlock sends one block of a registration and returns what answers it.
func (p *peer) sendBlock(id uint16, path string, value uint32, payload []byte, announced uint32) *coap.Message {
	p.t.Helper()
	m := &coap.Message{Type: coap.Confirmable, Code: coap.POST, ID: id, Token: []byte("t"), Payload: payload}
	m.Options.AddStrings(coap.URIPath, []string{path})
	m.Options.AddStrings(coap.URIQuery, []string{"ep=x"})
	m.Options.AddUint(coap.Block1, value)
	if announced > 0 {
		m.Options.AddUint(coap.Size1, announced)
	}
	p.send(m)
	answer := p.receive()
	if answer.Type != coap.Acknowledgement || answer.ID != id || string(answer.Token) != "t" {
		p.t.Fatalf("block answered with %s", answer)
	}
	return answer
}

func gathering(bodies *[]string) coap.Handler {
	return func(_ context.Context, req *coap.Request) *coap.Response {
		*bodies = append(*bodies, fmt.Sprintf("%s %v %d", req.Path[0], req.Query, len(req.Payload)))
		return &coap.Response{Code: coap.Created, LocationPath: []string{"rd", "1"}}
	}
}

func TestBodyInBlocksIsPutTogether(t *testing.T) {
	var bodies []string
	_, device := start(t, gathering(&bodies), quick())
	whole := body(1126)
	for number := range uint32(2) {
		value := blockValue(number, true, 5)
		answer := device.sendBlock(uint16(number), "rd", value, whole[number*512:][:512], 1126)
		wantUint(t, answer, coap.Block1, value)
		if answer.Code != coap.Continue {
			t.Fatalf("answered %s", answer)
		}
	}
	answer := device.sendBlock(2, "rd", blockValue(2, false, 5), whole[1024:], 0)
	wantUint(t, answer, coap.Block1, blockValue(2, false, 5))
	if answer.Code != coap.Created || len(answer.Options.Strings(coap.LocationPath)) != 2 {
		t.Fatalf("answered %s", answer)
	}
	if fmt.Sprint(bodies) != "[rd [ep=x] 1126]" {
		t.Errorf("handled %q", bodies)
	}
}

func TestMisusedBlocksAreRefused(t *testing.T) {
	type sent struct {
		path      string
		value     uint32
		size      int
		announced uint32
		want      coap.Code
	}
	for name, blocks := range map[string][]sent{
		"starting in the middle": {{"rd", blockValue(1, true, 5), 512, 0, coap.RequestEntityIncomplete}},
		"one left out": {
			{"rd", blockValue(0, true, 5), 512, 0, coap.Continue},
			{"rd", blockValue(2, true, 5), 512, 0, coap.RequestEntityIncomplete},
			{"rd", blockValue(1, false, 5), 512, 0, coap.RequestEntityIncomplete},
		},
		"another path": {
			{"rd", blockValue(0, true, 5), 512, 0, coap.Continue},
			{"bs", blockValue(1, false, 5), 5, 0, coap.RequestEntityIncomplete},
		},
		"shorter than it says": {{"rd", blockValue(0, true, 5), 100, 0, coap.BadRequest}},
		"announced too large":  {{"rd", blockValue(0, true, 5), 512, 4097, coap.RequestEntityTooLarge}},
		"growing too large": {
			{"rd", blockValue(0, true, 6), 1024, 0, coap.Continue},
			{"rd", blockValue(1, true, 6), 1024, 0, coap.Continue},
			{"rd", blockValue(2, true, 6), 1024, 0, coap.Continue},
			{"rd", blockValue(3, true, 6), 1024, 0, coap.Continue},
			{"rd", blockValue(4, false, 6), 1, 0, coap.RequestEntityTooLarge},
		},
		"reserved size": {{"rd", blockValue(0, true, 7), 512, 0, coap.BadOption}},
	} {
		t.Run(name, func(t *testing.T) {
			var bodies []string
			_, device := start(t, gathering(&bodies), quick())
			for i, b := range blocks {
				if answer := device.sendBlock(uint16(i), b.path, b.value, body(b.size), b.announced); answer.Code != b.want {
					t.Errorf("block %d answered with %s, want %s", i, answer, b.want)
				}
			}
			if len(bodies) > 0 {
				t.Errorf("handled %q", bodies)
			}
		})
	}
}

func TestLargeAnswerIsFetchedInBlocks(t *testing.T) {
	whole := body(1389)
	handled := 0
	_, device := start(t, func(context.Context, *coap.Request) *coap.Response {
		handled++
		return &coap.Response{Code: coap.Content, ContentFormat: new(uint16(40)), Payload: whole}
	}, quick())
	var got []byte
	for number := range uint32(3) {
		m := &coap.Message{Type: coap.Confirmable, Code: coap.GET, ID: uint16(number), Token: []byte{byte(number)}}
		if number > 0 {
			m.Options.AddUint(coap.Block2, blockValue(number, false, 5))
		}
		device.send(m)
		answer := device.expect(coap.Acknowledgement, coap.Content)
		wantUint(t, answer, coap.Block2, blockValue(number, number < 2, 5))
		wantUint(t, answer, coap.ContentFormat, 40)
		if number == 0 {
			wantUint(t, answer, coap.Size2, 1389)
		}
		got = append(got, answer.Payload...)
	}
	if !bytes.Equal(got, whole) || handled != 1 {
		t.Errorf("fetched %d bytes, handled %d times", len(got), handled)
	}
	beyond := &coap.Message{Type: coap.Confirmable, Code: coap.GET, ID: 9}
	beyond.Options.AddUint(coap.Block2, blockValue(3, false, 5))
	device.send(beyond)
	device.expect(coap.Acknowledgement, coap.BadOption)
}

func TestAnswerInBlocksIsPutTogether(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, read())
	whole := body(1100)
	for number := range uint32(3) {
		m := device.expect(coap.Confirmable, coap.GET)
		if number > 0 {
			wantUint(t, m, coap.Block2, blockValue(number, false, 5))
		}
		answer := &coap.Message{Type: coap.Acknowledgement, Code: coap.Content, ID: m.ID, Token: m.Token}
		answer.Options.AddUint(coap.Block2, blockValue(number, number < 2, 5))
		answer.Payload = whole[number*512 : min(len(whole), int(number+1)*512)]
		device.send(answer)
	}
	if r := <-done; r.err != nil || !bytes.Equal(r.response.Payload, whole) {
		t.Fatalf("got %+v", r)
	}
}

func TestBrokenAnswersInBlocksAreErrors(t *testing.T) {
	for name, later := range map[string]struct {
		value uint32
		code  coap.Code
		size  int
	}{
		"one left out":    {blockValue(2, false, 5), coap.Content, 10},
		"the same again":  {blockValue(0, true, 5), coap.Content, 512},
		"another code":    {blockValue(1, false, 5), coap.NotFound, 0},
		"short, but more": {blockValue(1, true, 5), coap.Content, 10},
		"out of step":     {blockValue(1, true, 0), coap.Content, 16},
	} {
		t.Run(name, func(t *testing.T) {
			session, device := start(t, nil, quick())
			done := do(patience(t), session, read())
			answer := func(value uint32, code coap.Code, size int) {
				m := device.expect(coap.Confirmable, coap.GET)
				a := &coap.Message{Type: coap.Acknowledgement, Code: code, ID: m.ID, Token: m.Token, Payload: body(size)}
				a.Options.AddUint(coap.Block2, value)
				device.send(a)
			}
			answer(blockValue(0, true, 5), coap.Content, 512)
			answer(later.value, later.code, later.size)
			if r := <-done; !errors.Is(r.err, coap.ErrBlockwise) {
				t.Fatalf("got %+v", r)
			}
		})
	}
}

func TestEndlessAnswerIsGivenUp(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, read())
	for number := range uint32(8) { // as many as MaxBody allows
		m := device.expect(coap.Confirmable, coap.GET)
		a := &coap.Message{Type: coap.Acknowledgement, Code: coap.Content, ID: m.ID, Token: m.Token, Payload: body(512)}
		a.Options.AddUint(coap.Block2, blockValue(number, true, 5))
		device.send(a)
	}
	if r := <-done; !errors.Is(r.err, coap.ErrTooLarge) {
		t.Fatalf("got %+v", r)
	}
	device.silent()
}

// answerInBlocks answers the requests for the first blocks of a body.
func (p *peer) answerInBlocks(whole []byte, blocks int, announce bool) {
	p.t.Helper()
	for number := range blocks {
		m := p.expect(coap.Confirmable, coap.GET)
		answer := &coap.Message{Type: coap.Acknowledgement, Code: coap.Content, ID: m.ID, Token: m.Token}
		end := min(len(whole), (number+1)*512)
		answer.Options.AddUint(coap.Block2, blockValue(uint32(number), end < len(whole), 5))
		if announce {
			answer.Options.AddUint(coap.Size2, uint32(len(whole)))
		}
		answer.Payload = whole[number*512 : end]
		p.send(answer)
	}
}

func TestAnAnswerMayBeLargerThanARequest(t *testing.T) {
	cfg := quick()
	cfg.MaxAnswer, cfg.Room = 8192, semaphore.NewWeighted(8192)
	session, device := start(t, nil, cfg)
	for range 2 { // the second needs the room that the first had
		whole := body(8192)
		done := do(patience(t), session, read())
		device.answerInBlocks(whole, 16, false)
		if r := <-done; r.err != nil || !bytes.Equal(r.response.Payload, whole) {
			t.Fatalf("got %+v", r)
		}
	}
}

func TestAnAnswerThatSaysItIsTooLargeIsNotFetched(t *testing.T) {
	session, device := start(t, nil, quick())
	done := do(patience(t), session, read())
	device.answerInBlocks(body(4097), 1, true)
	if r := <-done; !errors.Is(r.err, coap.ErrTooLarge) {
		t.Fatalf("got %+v", r)
	}
	device.silent()
}

func TestALargeAnswerWaitsForRoom(t *testing.T) {
	cfg := quick()
	cfg.MaxAnswer, cfg.Room = 8192, semaphore.NewWeighted(8192)
	if !cfg.Room.TryAcquire(1) {
		t.Fatal("no room at first")
	}
	session, device := start(t, nil, cfg)
	ctx, cancel := context.WithCancel(patience(t))
	done := do(ctx, session, read())
	device.answerInBlocks(body(5000), 8, false)
	if heard := session.Heard(); time.Since(heard) > time.Minute {
		t.Errorf("last heard of at %v", heard)
	}
	device.silent() // it waits
	cancel()
	if r := <-done; !errors.Is(r.err, context.Canceled) {
		t.Fatalf("got %+v", r)
	}
}
