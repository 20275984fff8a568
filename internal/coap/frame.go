package coap

import (
	"encoding/binary"
	"fmt"
	"io"
)

// frame is one message of a stream (RFC 8323 §3.2):
//
//	length of the body (4 bits) token length (4) | rest of the length (0..4 bytes) |
//	code (8) | token (0..8 bytes) | body: options and payload as in a datagram
type frame struct {
	code  Code
	token []byte
	body  []byte
}

// Lengths from these on are written behind the first byte, less so much.
const (
	oneByteLength  = 13
	twoByteLength  = 269
	fourByteLength = 65805
)

// cutFrame takes the first message off a stream. It shares memory with data.
// It returns io.ErrUnexpectedEOF when more has to come, else ErrFraming.
func cutFrame(data []byte) (m frame, rest []byte, err error) {
	if len(data) == 0 {
		return frame{}, data, io.ErrUnexpectedEOF
	}
	tokenLength := int(data[0] & 0x0f)
	if tokenLength > maxTokenLength {
		return frame{}, data, fmt.Errorf("%w: a token of %d bytes", ErrFraming, tokenLength)
	}
	length, after, ok := frameLength(data[0]>>4, data[1:])
	switch {
	case !ok:
		return frame{}, data, io.ErrUnexpectedEOF
	case length > maxStreamMessage:
		return frame{}, data, fmt.Errorf("%w: a message of more than %d bytes", ErrFraming, maxStreamMessage)
	case len(after) < 1+tokenLength+length:
		return frame{}, data, io.ErrUnexpectedEOF
	}
	m.code = Code(after[0])
	m.token, after = after[1:1+tokenLength], after[1+tokenLength:]
	m.body, rest = after[:length], after[length:]
	return m, rest, nil
}

// frameLength completes the four bits of a length. ok is false when more has
// to come.
func frameLength(nibble byte, rest []byte) (length int, after []byte, ok bool) {
	switch {
	case nibble < 13:
		return int(nibble), rest, true
	case nibble == 13 && len(rest) >= 1:
		return int(rest[0]) + oneByteLength, rest[1:], true
	case nibble == 14 && len(rest) >= 2:
		return int(binary.BigEndian.Uint16(rest)) + twoByteLength, rest[2:], true
	case nibble == 15 && len(rest) >= 4:
		return int(int64(binary.BigEndian.Uint32(rest)) + fourByteLength), rest[4:], true
	default:
		return 0, rest, false
	}
}

func appendFrame(data []byte, m frame) []byte {
	length, extended := len(m.body), []byte(nil)
	nibble := byte(length)
	switch {
	case length >= fourByteLength:
		nibble, extended = 15, binary.BigEndian.AppendUint32(nil, uint32(length-fourByteLength))
	case length >= twoByteLength:
		nibble, extended = 14, binary.BigEndian.AppendUint16(nil, uint16(length-twoByteLength))
	case length >= oneByteLength:
		nibble, extended = 13, []byte{byte(length - oneByteLength)}
	}
	data = append(data, nibble<<4|byte(len(m.token)))
	data = append(data, extended...)
	data = append(data, byte(m.code))
	data = append(data, m.token...)
	return append(data, m.body...)
}
