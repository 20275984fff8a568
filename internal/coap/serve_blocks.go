package coap

import (
	"bytes"
	"slices"
	"time"
)

// upload is a request body that is arriving in blocks.
type upload struct {
	of   request
	body []byte
}

// largeAnswer is a response whose later blocks the peer has yet to fetch.
type largeAnswer struct {
	to      request
	reply   *reply
	body    []byte
	expires time.Time
}

// request is what tells one block-wise transfer from another within a session.
type request struct {
	code        Code
	path, query []string
}

func requestIdentity(m *Message) request {
	return request{m.Code, m.Options.Strings(URIPath), m.Options.Strings(URIQuery)}
}

func (r request) equal(other request) bool {
	return r.code == other.code && slices.Equal(r.path, other.path) && slices.Equal(r.query, other.query)
}

// takeBlock puts a body together from blocks (RFC 7959 §2.5). It returns the
// whole body, or the reply to a block that is not the last, or a refusal.
// One body at a time arrives per session; a first block starts afresh.
func (s *Session) takeBlock(m *Message) (body []byte, response *reply) {
	b, ok, err := blockOption(m, Block1)
	if err != nil {
		return nil, &reply{Code: BadOption}
	}
	if !ok {
		return m.Payload, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.number == 0 {
		s.partial = &upload{of: requestIdentity(m)}
	}
	if s.partial == nil || !s.partial.of.equal(requestIdentity(m)) || b.offset() != len(s.partial.body) {
		s.partial = nil
		return nil, blockReply(RequestEntityIncomplete, b)
	}
	if b.more && !b.full(len(m.Payload)) {
		s.partial = nil
		return nil, blockReply(BadRequest, b)
	}
	if s.tooLarge(m, len(s.partial.body)+len(m.Payload)) {
		s.partial = nil
		response := blockReply(RequestEntityTooLarge, b)
		response.Options.AddUint(Size1, uint32(s.cfg.MaxBody))
		return nil, response
	}
	s.partial.body = append(s.partial.body, m.Payload...)
	if b.more {
		return nil, blockReply(Continue, b)
	}
	body = s.partial.body
	s.partial = nil
	return body, nil
}

func (s *Session) tooLarge(m *Message, size int) bool {
	announced, _ := m.Options.Uint(Size1)
	return size > s.cfg.MaxBody || int64(announced) > int64(s.cfg.MaxBody)
}

// blockReply echoes the block it answers; to a block larger than ours it says
// what size we want. Not so to BERT's: clients count on in other ways then.
func blockReply(code Code, b block) *reply {
	if code == Continue && b.szx != bertSZX {
		b.szx = min(b.szx, blockSZX)
	}
	r := &reply{Code: code}
	r.Options.AddUint(Block1, b.value())
	return r
}

// firstBlock is the reply to the last (or only) message of a request: the
// whole response, or its first block (RFC 7959 §2.4) when it is large.
func (s *Session) firstBlock(m *Message, response *Response) *reply {
	r := replyOf(response)
	if b, ok, _ := blockOption(m, Block1); ok {
		r.Options.AddUint(Block1, b.value())
	}
	wanted, ok, _ := blockOption(m, Block2)
	szx := uint8(blockSZX)
	if ok {
		szx = min(szx, wanted.szx)
	}
	if len(r.Payload) <= 16<<szx && wanted.number == 0 {
		return r
	}
	large := &largeAnswer{
		to:      requestIdentity(m),
		reply:   r,
		body:    bytes.Clone(r.Payload),
		expires: time.Now().Add(exchangeLifetime),
	}
	s.mu.Lock()
	s.large = large
	s.mu.Unlock()
	first := large.block(wanted.number, szx)
	first.Options.AddUint(Size2, uint32(len(large.body)))
	return first
}

// laterBlock is the reply to a request for a block after the first of a kept
// answer; nil when the handler has to make the answer (again).
func (s *Session) laterBlock(m *Message) *reply {
	b, ok, err := blockOption(m, Block2)
	if err != nil {
		return &reply{Code: BadOption}
	}
	if !ok || b.number == 0 {
		return nil
	}
	s.mu.Lock()
	large := s.large
	s.mu.Unlock()
	if large != nil && large.to.equal(requestIdentity(m)) && time.Now().Before(large.expires) {
		return large.block(b.number, min(b.szx, blockSZX))
	}
	if m.Code != GET {
		return &reply{Code: RequestEntityIncomplete}
	}
	return nil
}

func (l *largeAnswer) block(number uint32, szx uint8) *reply {
	part, b, ok := cut(l.body, number, szx)
	if !ok {
		return &reply{Code: BadOption}
	}
	r := &reply{Code: l.reply.Code, Options: slices.Clone(l.reply.Options), Payload: part}
	r.Options.AddUint(Block2, b.value())
	return r
}
