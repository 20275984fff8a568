package coap

import "fmt"

// Blocks carry 512 bytes both ways: the size the devices in the field were
// built for. They refuse larger ones.
const (
	blockSZX  = 5
	blockSize = 16 << blockSZX
)

// block is the value of a Block1 or Block2 option (RFC 7959 §2.2): number (up
// to 20 bits), more (1 bit), size exponent (3 bits, size = 16 << szx).
type block struct {
	number uint32
	more   bool
	szx    uint8
}

// bertSZX says that a message of a stream carries one or more blocks of 1024
// bytes (RFC 8323 §6). We do not offer that, and some clients begin with it
// before they have heard so. In datagrams it is reserved.
const bertSZX = 7

// blockOption reads a block option. ok is false when there is none, an error
// means it is not valid. Messages of a stream come as non-confirmable ones
// (Framing).
func blockOption(m *Message, id OptionID) (b block, ok bool, err error) {
	value, present := m.Options.Get(id)
	if !present {
		return block{}, false, nil
	}
	n, _ := m.Options.Uint(id)
	b = block{number: n >> 4, more: n&8 != 0, szx: uint8(n & 7)}
	if len(value) > 3 || (b.szx == bertSZX && m.Type != NonConfirmable) {
		return block{}, false, fmt.Errorf("%w: block option %x", ErrMalformed, value)
	}
	return b, true, nil
}

func (b block) size() int { return 16 << min(b.szx, bertSZX-1) }

// full tells whether so many bytes may be followed by more.
func (b block) full(length int) bool {
	if b.szx == bertSZX {
		return length > 0 && length%b.size() == 0
	}
	return length == b.size()
}

func (b block) offset() int { return int(b.number) * b.size() }

func (b block) value() uint32 {
	n := b.number<<4 | uint32(b.szx)
	if b.more {
		n |= 8
	}
	return n
}

// cut returns block number of body in blocks of the size of szx. ok is false
// when the body ends before it.
func cut(body []byte, number uint32, szx uint8) (part []byte, b block, ok bool) {
	b = block{number: number, szx: szx}
	start := b.offset()
	if start > len(body) || (start == len(body) && start > 0) {
		return nil, block{}, false
	}
	end := min(start+b.size(), len(body))
	b.more = end < len(body)
	return body[start:end], b, true
}
