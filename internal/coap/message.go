package coap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrMalformed is what ParseMessage's errors wrap.
var ErrMalformed = errors.New("malformed CoAP message")

const (
	headerSize     = 4
	maxTokenLength = 8
	payloadMarker  = 0xff
)

// Message is one CoAP message in the format for datagrams (RFC 7252 §3):
//
//	version 1 (2 bits) type (2) token length (4) | code (8) | message id (16)
//	token (0..8 bytes) | options | 0xFF payload
type Message struct {
	Type    Type
	Code    Code
	ID      uint16
	Token   []byte
	Options Options
	Payload []byte
}

// ParseMessage reads one whole message. The result shares memory with data.
//
// It takes more than the RFC where clients in the field need it: an Empty
// message may carry options (an acknowledgement with an empty Content-Format
// is common), and a payload marker may stand without a payload behind it.
func ParseMessage(data []byte) (*Message, error) {
	if len(data) < headerSize {
		return nil, malformed("shorter than its header")
	}
	if data[0]>>6 != 1 {
		return nil, malformed("version is not 1")
	}
	m := &Message{
		Type: Type(data[0] >> 4 & 3),
		Code: Code(data[1]),
		ID:   binary.BigEndian.Uint16(data[2:]),
	}
	tokenLength := int(data[0] & 0x0f)
	rest := data[headerSize:]
	if tokenLength > maxTokenLength || tokenLength > len(rest) {
		return nil, malformed("token longer than allowed or than the message")
	}
	if tokenLength > 0 {
		m.Token = rest[:tokenLength]
	}
	if err := m.parseOptions(rest[tokenLength:]); err != nil {
		return nil, err
	}
	return m, nil
}

// parseOptions reads options and the payload behind them. Option numbers are
// written as the difference to the one before (RFC 7252 §3.1).
func (m *Message) parseOptions(rest []byte) error {
	number := 0
	for len(rest) > 0 {
		first := rest[0]
		rest = rest[1:]
		if first == payloadMarker {
			m.Payload = rest
			return nil
		}
		delta, afterDelta, ok := extended(first>>4, rest)
		if !ok {
			return malformed("option number cut short or reserved")
		}
		length, afterLength, ok := extended(first&0x0f, afterDelta)
		if !ok || length > len(afterLength) {
			return malformed("option value cut short or reserved length")
		}
		number += delta
		if number > 0xffff {
			return malformed("option number over 65535")
		}
		m.Options.Add(OptionID(number), afterLength[:length])
		rest = afterLength[length:]
	}
	return nil
}

// extended completes a 4-bit delta or length: 13 is followed by one byte, 14
// by two, 15 is reserved.
func extended(nibble byte, rest []byte) (n int, after []byte, ok bool) {
	switch {
	case nibble < 13:
		return int(nibble), rest, true
	case nibble == 13 && len(rest) >= 1:
		return int(rest[0]) + 13, rest[1:], true
	case nibble == 14 && len(rest) >= 2:
		return int(binary.BigEndian.Uint16(rest)) + 269, rest[2:], true
	default:
		return 0, nil, false
	}
}

// Marshal writes the message. It fails when the token is longer than 8 bytes
// or an option's value longer than its length field can say.
func (m *Message) Marshal() ([]byte, error) {
	if len(m.Token) > maxTokenLength {
		return nil, fmt.Errorf("cannot write a token of %d bytes", len(m.Token))
	}
	data := make([]byte, headerSize, headerSize+len(m.Token)+len(m.Payload)+64)
	data[0] = 1<<6 | byte(m.Type&3)<<4 | byte(len(m.Token))
	data[1] = byte(m.Code)
	binary.BigEndian.PutUint16(data[2:], m.ID)
	data = append(data, m.Token...)

	previous := OptionID(0)
	for _, option := range inOrder(m.Options) {
		if len(option.Value) > 269+0xffff {
			return nil, fmt.Errorf("cannot write option %d of %d bytes", option.ID, len(option.Value))
		}
		data = appendOption(data, int(option.ID-previous), option.Value)
		previous = option.ID
	}
	if len(m.Payload) > 0 {
		data = append(data, payloadMarker)
		data = append(data, m.Payload...)
	}
	return data, nil
}

func inOrder(options Options) Options {
	byNumber := func(a, b Option) int { return int(a.ID) - int(b.ID) }
	if slices.IsSortedFunc(options, byNumber) {
		return options
	}
	sorted := slices.Clone(options)
	slices.SortStableFunc(sorted, byNumber)
	return sorted
}

func appendOption(data []byte, delta int, value []byte) []byte {
	deltaNibble, deltaBytes := nibble(delta)
	lengthNibble, lengthBytes := nibble(len(value))
	data = append(data, deltaNibble<<4|lengthNibble)
	data = append(data, deltaBytes...)
	data = append(data, lengthBytes...)
	return append(data, value...)
}

func nibble(n int) (byte, []byte) {
	switch {
	case n < 13:
		return byte(n), nil
	case n < 269:
		return 13, []byte{byte(n - 13)}
	default:
		return 14, binary.BigEndian.AppendUint16(nil, uint16(n-269))
	}
}

// String is one line for logs: type, code, id, token and payload length, no
// contents.
func (m *Message) String() string {
	return fmt.Sprintf("%s %s mid=%04x tok=%x payload %d", m.Type, m.Code, m.ID, m.Token, len(m.Payload))
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }
