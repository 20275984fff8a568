package lwm2m

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mbl/internal/coap"
)

const (
	// originalMemory is how many messages the original client recognises again.
	originalMemory = 4
	originalBlock  = 512
)

// original is a model of the original client 4.13 over UDP, with its ways of
// repeating, of recognising repetitions, and of answering.
type original struct {
	ctx   context.Context
	conn  coap.Conn
	large string // the value of /5/0/1

	finished chan error    // how the bootstrap ended
	ended    chan struct{} // the server has closed

	mu       sync.Mutex
	id       uint16
	token    byte
	awaited  map[uint16]chan *coap.Message // by the id of what is to be acknowledged
	answered bool                          // a request of ours: no request is heard before
	known    []known
	arriving []byte
	writes   []string
	reads    int
	executed int
}

// known is a message that was received, and what answers it.
type known struct {
	id     uint16
	answer []byte
}

// newOriginal makes a client whose message ids begin anew soon.
func newOriginal(ctx context.Context, conn coap.Conn) *original {
	return &original{
		ctx: ctx, conn: conn, id: 0xfffd, large: strings.Repeat("0123456789abcdef", 100),
		finished: make(chan error, 1), ended: make(chan struct{}), awaited: map[uint16]chan *coap.Message{},
	}
}

// serve answers the server until it closes.
func (o *original) serve() {
	defer close(o.ended)
	for {
		raw, err := o.conn.ReadMessage(o.ctx)
		if err != nil {
			return
		}
		if m, err := coap.ParseMessage(raw); err == nil {
			o.receive(m)
		}
	}
}

func (o *original) receive(m *coap.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.Type == coap.Acknowledgement || m.Type == coap.Reset {
		o.answered = o.answered || m.Code.IsSuccess()
		if awaited := o.awaited[m.ID]; awaited != nil {
			delete(o.awaited, m.ID)
			awaited <- m
		}
		return
	}
	i := slices.IndexFunc(o.known, func(k known) bool { return k.id == m.ID })
	if i < 0 {
		o.known = append(o.known, known{m.ID, o.answer(m)})
		i = len(o.known) - 1
	}
	if answer := o.known[i].answer; answer != nil {
		_ = o.conn.WriteMessage(answer)
	}
	o.known = o.known[max(len(o.known)-originalMemory, 0):]
}

// answer is what answers a request; nil if it is ignored. o.mu is held.
func (o *original) answer(m *coap.Message) []byte {
	if !o.answered {
		return nil
	}
	answer := &coap.Message{Type: coap.Acknowledgement, ID: m.ID, Token: m.Token}
	switch m.Code {
	case coap.DELETE:
		answer.Code = coap.Deleted
	case coap.PUT:
		o.put(m, answer)
	case coap.GET:
		o.get(m, answer)
	case coap.POST:
		o.executed++
		go o.answerSeparately(m)
		return []byte{0x60, 0, byte(m.ID >> 8), byte(m.ID), 0xc0} // as it acknowledges
	default:
		answer.Code = coap.MethodNotAllowed
	}
	raw, _ := answer.Marshal()
	return raw
}

func (o *original) put(m, answer *coap.Message) {
	answer.Code = coap.Changed
	block, inBlocks := m.Options.Uint(coap.Block1)
	if block>>4 == 0 {
		o.arriving = nil
	}
	if int(block>>4)*originalBlock != len(o.arriving) {
		answer.Code = coap.RequestEntityIncomplete
		return
	}
	o.arriving = append(o.arriving, m.Payload...)
	if inBlocks {
		answer.Options.AddUint(coap.Block1, block)
	}
	if block&8 != 0 {
		answer.Code = coap.Continue
		return
	}
	o.writes = append(o.writes, string(o.arriving))
	o.arriving = nil
}

func (o *original) get(m, answer *coap.Message) {
	answer.Code = coap.Content
	path := strings.Join(m.Options.Strings(coap.URIPath), "/")
	if path != "5/0/1" {
		o.reads++
		answer.Payload = fmt.Appendf(nil, "%s, asked for %d times", path, o.reads)
		return
	}
	block, _ := m.Options.Uint(coap.Block2)
	o.cut(answer, o.large, block>>4)
}

// cut gives a message one block of a value.
func (o *original) cut(m *coap.Message, value string, number uint32) {
	begin := int(number) * originalBlock
	end := min(begin+originalBlock, len(value))
	m.Payload = []byte(value[begin:end])
	if len(value) <= originalBlock {
		return
	}
	block := number<<4 | 5
	if end < len(value) {
		block |= 8
	}
	m.Options.AddUint(coap.Block2, block)
	if number == 0 {
		m.Options.AddUint(coap.Size2, uint32(len(value)))
	}
}

func (o *original) answerSeparately(m *coap.Message) {
	acknowledged, err := o.confirm(&coap.Message{Code: coap.Changed, Token: m.Token})
	if err == nil && acknowledged.Type == coap.Reset {
		err = errors.New("the answer was rejected")
	}
	if slices.Equal(m.Options.Strings(coap.URIPath), []string{"bs"}) {
		o.finished <- err
	}
}

// confirm sends a message until it is acknowledged, or the server closes.
func (o *original) confirm(m *coap.Message) (*coap.Message, error) {
	o.mu.Lock()
	o.id++
	m.Type, m.ID = coap.Confirmable, o.id
	acknowledged := make(chan *coap.Message, 1)
	o.awaited[m.ID] = acknowledged
	o.mu.Unlock()
	raw, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	for _, seconds := range []time.Duration{4, 7, 15, 30} {
		_ = o.conn.WriteMessage(raw)
		select {
		case answer := <-acknowledged:
			return answer, nil
		case <-o.ended: // which is as good, after a bootstrap
			return &coap.Message{Type: coap.Acknowledgement}, nil
		case <-time.After(seconds * time.Second):
		}
	}
	return nil, fmt.Errorf("%s is not acknowledged", m)
}

// request sends a request, in blocks if it is large, and returns the answer's
// code.
func (o *original) request(code coap.Code, target string, body []byte) (coap.Code, error) {
	path, queries, _ := strings.Cut(target, "?")
	o.mu.Lock()
	o.token++
	token := []byte{o.token, 0, 0, 0}
	o.mu.Unlock()
	for number := uint32(0); ; number++ {
		part := body[min(int(number)*originalBlock, len(body)):]
		m := &coap.Message{Code: code, Token: token, Payload: part[:min(originalBlock, len(part))]}
		m.Options.AddStrings(coap.URIPath, strings.Split(path, "/"))
		m.Options.AddStrings(coap.URIQuery, strings.Split(queries, "&"))
		more := len(part) > originalBlock
		if more {
			m.Options.AddUint(coap.Block1, number<<4|8|5)
		} else if number > 0 {
			m.Options.AddUint(coap.Block1, number<<4|5)
		}
		answer, err := o.confirm(m)
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(answer.Token, token) {
			return 0, fmt.Errorf("the answer %s has another token", answer)
		}
		if !more || answer.Code != coap.Continue {
			return answer.Code, nil
		}
	}
}

// notify notifies of a value of /5/0/1, which it observes by itself.
func (o *original) notify(number uint32, value string) error {
	m := &coap.Message{Code: coap.Content, Token: []byte{0x03, 0x83}}
	m.Options.AddUint(coap.Observe, number)
	o.cut(m, value, 0)
	answer, err := o.confirm(m)
	if err == nil && answer.Type == coap.Reset {
		err = errors.New("it was rejected")
	}
	return err
}
