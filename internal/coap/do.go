package coap

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// Do sends a request and waits for its answer, whatever its code. Bodies of
// more than 512 bytes travel in blocks. One exchange is in flight per session
// at a time, pings included; further ones wait for their turn. It returns
// ErrReset, ErrTimeout, ErrClosed, ErrBlockwise, ErrTooLarge or ctx's error when
// there is no answer.
func (s *Session) Do(ctx context.Context, req *Request) (*Response, error) {
	return s.do(ctx, req, s.cfg.MaxAnswer)
}

// do is Do for answers of so many bytes at most.
func (s *Session) do(ctx context.Context, req *Request, most int) (*Response, error) {
	if err := s.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer s.endTurn()
	token := req.Token
	if token == nil {
		token = newToken()
	}
	answer, err := s.sendBody(ctx, req, token)
	if err != nil {
		return nil, fmt.Errorf("cannot get an answer to %s /%s: %w", req.Code, pathText(req.Path), err)
	}
	if req.Observe != nil { // of the first block alone (RFC 7959 §2.6)
		later := *req
		later.Observe, token = nil, newToken()
		req = &later
	}
	response, err := s.fetchRest(ctx, req, token, answer, most)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch the whole answer to %s /%s: %w", req.Code, pathText(req.Path), err)
	}
	return response, nil
}

// sendBody sends the request, in blocks if it is large (RFC 7959 §2.5), and
// returns what answers the last of them, or the refusal of an earlier one.
func (s *Session) sendBody(ctx context.Context, req *Request, token []byte) (*Message, error) {
	if len(req.Payload) <= blockSize {
		m := s.requestMessage(req, token)
		m.Payload = req.Payload
		return s.exchangeOne(ctx, m, req.Confirm)
	}
	szx := uint8(blockSZX)
	for offset := 0; ; {
		part, b, _ := cut(req.Payload, uint32(offset>>(szx+4)), szx)
		m := s.requestMessage(req, token)
		m.Payload = part
		m.Options.AddUint(Block1, b.value())
		if offset == 0 {
			m.Options.AddUint(Size1, uint32(len(req.Payload)))
		}
		answer, err := s.exchangeOne(ctx, m, lastOnly(req.Confirm, b.more))
		if err != nil || answer.Code != Continue {
			return answer, err
		}
		echo, ok, err := blockOption(answer, Block1)
		if err != nil || !ok || echo.number != b.number || !b.more {
			return nil, fmt.Errorf("%w: unexpected 2.31", ErrBlockwise)
		}
		szx = min(szx, echo.szx) // the peer may ask for smaller blocks
		offset += len(part)
	}
}

func lastOnly(confirm func(*Response) error, more bool) func(*Response) error {
	if more {
		return nil
	}
	return confirm
}

// fetchRest asks for the blocks of the answer after the first (RFC 7959 §2.4),
// most bytes with that.
func (s *Session) fetchRest(ctx context.Context, req *Request, token []byte, first *Message, most int) (*Response, error) {
	response := responseOf(first)
	b, ok, err := blockOption(first, Block2)
	if err != nil || !ok {
		return response, err
	}
	if b.number != 0 {
		return nil, fmt.Errorf("%w: answer starts at block %d", ErrBlockwise, b.number)
	}
	if announced, _ := first.Options.Uint(Size2); int64(announced) > int64(most) {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, announced)
	}
	tag, _ := first.Options.Get(ETag)
	body := bytes.Clone(first.Payload)
	for large := false; b.more; {
		switch {
		case len(body) == 0 || len(body)%b.size() != 0:
			return nil, fmt.Errorf("%w: block %d ends at %d bytes", ErrBlockwise, b.number, len(body))
		case len(body) >= most:
			return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
		case len(body) >= s.cfg.MaxBody && !large:
			leave, err := s.takeRoom(ctx, most)
			if err != nil {
				return nil, err
			}
			defer leave()
			large = true
		}
		m := s.requestMessage(req, token)
		m.Options.AddUint(Block2, block{number: uint32(len(body) / b.size()), szx: b.szx}.value())
		answer, err := s.exchangeOne(ctx, m, nil)
		if err != nil {
			return nil, err
		}
		nextTag, _ := answer.Options.Get(ETag)
		if b, ok, err = blockOption(answer, Block2); err != nil {
			return nil, err
		}
		if !ok || b.offset() != len(body) || answer.Code != first.Code || !bytes.Equal(tag, nextTag) {
			return nil, fmt.Errorf("%w: answer %s does not continue at %d bytes", ErrBlockwise, answer.Code, len(body))
		}
		body = append(body, answer.Payload...)
	}
	if len(body) > most {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(body))
	}
	response.Payload = body
	return response, nil
}

// roomWait is how long the peer's other requests wait behind a large answer that
// there is no room for.
const roomWait = time.Minute

// takeRoom waits a while for room for a large answer.
func (s *Session) takeRoom(ctx context.Context, size int) (leave func(), err error) {
	if s.cfg.Room == nil {
		return func() {}, nil
	}
	waiting, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	switch err := s.cfg.Room.Acquire(waiting, int64(size)); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("%w: many are on their way now", ErrTooLarge)
	}
	return func() { s.cfg.Room.Release(int64(size)) }, nil
}

// requestMessage is the request's message without its body.
func (s *Session) requestMessage(req *Request, token []byte) *Message {
	m := &Message{Type: Confirmable, Code: req.Code, ID: s.newID(), Token: token}
	m.Options.AddStrings(URIPath, req.Path)
	m.Options.AddStrings(URIQuery, req.Query)
	if req.Observe != nil {
		m.Options.AddUint(Observe, *req.Observe)
	}
	if req.ContentFormat != nil {
		m.Options.AddUint(ContentFormat, uint32(*req.ContentFormat))
	}
	if req.Accept != nil {
		m.Options.AddUint(Accept, uint32(*req.Accept))
	}
	return m
}

func responseOf(m *Message) *Response {
	return &Response{
		Code:          m.Code,
		LocationPath:  m.Options.Strings(LocationPath),
		ContentFormat: optionalUint16(m.Options, ContentFormat),
		MaxAge:        optionalUint(m.Options, MaxAge),
		Observe:       optionalUint(m.Options, Observe),
		Payload:       m.Payload,
	}
}
