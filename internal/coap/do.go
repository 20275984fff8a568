package coap

import (
	"bytes"
	"context"
	"fmt"
)

// Do sends a request and waits for its answer, whatever its code. Bodies of
// more than 512 bytes travel in blocks. One exchange is in flight per session
// at a time, pings included; further ones wait for their turn. It returns
// ErrReset, ErrTimeout, ErrClosed, ErrBlockwise or ctx's error when there is
// no answer.
func (s *Session) Do(ctx context.Context, req *Request) (*Response, error) {
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
	response, err := s.fetchRest(ctx, req, token, answer)
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
		echo, ok, err := blockOption(answer.Options, Block1)
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

// fetchRest asks for the blocks of the answer after the first (RFC 7959 §2.4).
func (s *Session) fetchRest(ctx context.Context, req *Request, token []byte, first *Message) (*Response, error) {
	response := responseOf(first)
	b, ok, err := blockOption(first.Options, Block2)
	if err != nil || !ok {
		return response, err
	}
	if b.number != 0 {
		return nil, fmt.Errorf("%w: answer starts at block %d", ErrBlockwise, b.number)
	}
	tag, _ := first.Options.Get(ETag)
	body := bytes.Clone(first.Payload)
	for b.more {
		if len(body) == 0 || len(body)%b.size() != 0 || len(body) > s.cfg.MaxBody {
			return nil, fmt.Errorf("%w: block %d ends at %d bytes", ErrBlockwise, b.number, len(body))
		}
		m := s.requestMessage(req, token)
		m.Options.AddUint(Block2, block{number: uint32(len(body) / b.size()), szx: b.szx}.value())
		answer, err := s.exchangeOne(ctx, m, nil)
		if err != nil {
			return nil, err
		}
		nextTag, _ := answer.Options.Get(ETag)
		if b, ok, err = blockOption(answer.Options, Block2); err != nil {
			return nil, err
		}
		if !ok || b.offset() != len(body) || answer.Code != first.Code || !bytes.Equal(tag, nextTag) {
			return nil, fmt.Errorf("%w: answer %s does not continue at %d bytes", ErrBlockwise, answer.Code, len(body))
		}
		body = append(body, answer.Payload...)
	}
	if len(body) > s.cfg.MaxBody {
		return nil, fmt.Errorf("%w: answer of %d bytes", ErrBlockwise, len(body))
	}
	response.Payload = body
	return response, nil
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
