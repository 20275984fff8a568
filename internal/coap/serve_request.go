package coap

import (
	"context"
	"strings"
	"time"
)

// receiveRequest answers a request at once where the exchange layer can
// (blocks, options nobody knows), else through the handler.
func (s *Session) receiveRequest(ctx context.Context, m *Message, r *received) {
	if response := checkOptions(m); response != nil {
		s.respondNow(m, r, response)
		return
	}
	body, response := s.takeBlock(m)
	if response == nil {
		response = s.laterBlock(m)
	}
	if response != nil {
		s.respondNow(m, r, response)
		return
	}
	select {
	case s.handlers <- struct{}{}:
		s.working.Go(func() {
			growStack(len(body))
			s.handle(ctx, m, r, requestOf(m, body))
		})
	default:
		s.mu.Lock()
		s.seen.forget(r)
		s.mu.Unlock()
		s.cfg.Log.Debug("too many requests at once, one dropped", "message", m)
	}
}

// checkOptions refuses a request to a proxy (RFC 7252 §5.10.2), which we are not,
// and one with a critical option that is not understood (§5.4.1).
func checkOptions(m *Message) *reply {
	for _, option := range m.Options {
		if option.ID == ProxyURI || option.ID == ProxyScheme {
			return &reply{Code: ProxyingNotSupported}
		}
		if option.ID.Critical() && !understood(option.ID) {
			return &reply{Code: BadOption}
		}
	}
	return nil
}

func understood(id OptionID) bool {
	const uriHost, uriPort = OptionID(3), OptionID(7)
	switch id {
	case URIPath, URIQuery, Accept, Block1, Block2, uriHost, uriPort:
		return true
	default:
		return false
	}
}

// handle runs the handler and sends its response: in the acknowledgement when
// it is quick, else separately (RFC 7252 §5.2).
func (s *Session) handle(ctx context.Context, m *Message, r *received, req *Request) {
	acknowledge := time.AfterFunc(s.cfg.SeparateAfter, func() { s.acceptOrReject(m, r, true) })
	response := s.handler(ctx, req)
	<-s.handlers
	quick := acknowledge.Stop()
	if response == nil {
		response = &Response{Code: InternalServerError}
	}
	if quick && response.Separate && m.Type == Confirmable {
		s.acceptOrReject(m, r, true)
		quick = false
	}
	answer := s.firstBlock(m, response)
	if quick || m.Type == NonConfirmable {
		s.respondNow(m, r, answer)
	} else if err := s.sendSeparate(ctx, s.separateMessage(m, answer)); err != nil {
		s.cfg.Log.Debug("separate response not acknowledged", "message", m, "error", err)
		return
	}
	if response.Then != nil {
		response.Then(ctx)
	}
}

// respondNow answers a confirmable request in its acknowledgement and a
// non-confirmable one likewise without confirmation.
func (s *Session) respondNow(m *Message, r *received, response *reply) {
	answer := s.separateMessage(m, response)
	if m.Type == Confirmable {
		answer.Type, answer.ID = Acknowledgement, m.ID
	}
	s.answer(r, answer)
}

func (s *Session) separateMessage(m *Message, response *reply) *Message {
	return &Message{
		Type:    m.Type,
		Code:    response.Code,
		ID:      s.newID(),
		Token:   m.Token,
		Options: response.Options,
		Payload: response.Payload,
	}
}

// reply is a response as it travels in one message.
type reply struct {
	Code    Code
	Options Options
	Payload []byte
}

func replyOf(response *Response) *reply {
	r := &reply{Code: response.Code, Payload: response.Payload}
	r.Options.AddStrings(LocationPath, response.LocationPath)
	if response.Observe != nil {
		r.Options.AddUint(Observe, *response.Observe)
	}
	if response.ContentFormat != nil {
		r.Options.AddUint(ContentFormat, uint32(*response.ContentFormat))
	}
	if response.MaxAge != nil {
		r.Options.AddUint(MaxAge, *response.MaxAge)
	}
	return r
}

func requestOf(m *Message, body []byte) *Request {
	return &Request{
		Code:          m.Code,
		Path:          m.Options.Strings(URIPath),
		Query:         m.Options.Strings(URIQuery),
		ContentFormat: optionalUint16(m.Options, ContentFormat),
		Accept:        optionalUint16(m.Options, Accept),
		Observe:       optionalUint(m.Options, Observe),
		Payload:       body,
		Token:         m.Token,
	}
}

func optionalUint(options Options, id OptionID) *uint32 {
	n, ok := options.Uint(id)
	if !ok {
		return nil
	}
	return &n
}

func optionalUint16(options Options, id OptionID) *uint16 {
	n, ok := options.Uint(id)
	if !ok || n > 0xffff {
		return nil
	}
	return new(uint16(n))
}

func pathText(path []string) string { return strings.Join(path, "/") }
