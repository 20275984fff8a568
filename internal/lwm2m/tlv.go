package lwm2m

import (
	"encoding/binary"
	"fmt"
	"math"
)

// TLVKind says what a TLV stands for.
type TLVKind uint8

// The kinds, as they stand in bits 7 and 6 of the type byte.
const (
	ObjectInstance   TLVKind = 0 // holds Resource and MultipleResource
	ResourceInstance TLVKind = 1
	MultipleResource TLVKind = 2 // holds ResourceInstance
	Resource         TLVKind = 3
)

// holdsOthers tells kinds whose value is more TLVs.
func (k TLVKind) holdsOthers() bool { return k == ObjectInstance || k == MultipleResource }

// mayHold tells which kinds may lie in which.
func (k TLVKind) mayHold(inner TLVKind) bool {
	switch k {
	case ObjectInstance:
		return inner == Resource || inner == MultipleResource
	case MultipleResource:
		return inner == ResourceInstance
	default:
		return false
	}
}

// TLV is one item of the format of OMA LwM2M 1.0 §6.4.3:
//
//	type: kind (2 bits), 16-bit id (1), length of length (2), length (3)
//	id (1 or 2 bytes) | length (0 to 3 bytes) | value
type TLV struct {
	Kind     TLVKind
	ID       uint16
	Value    []byte // of a Resource or ResourceInstance
	Children []TLV  // of an ObjectInstance or MultipleResource
}

const maxTLVLength = 1<<24 - 1

// DecodeTLV reads a whole payload. Values share memory with data.
func DecodeTLV(data []byte) ([]TLV, error) {
	return decodeTLVs(data, func(TLVKind) bool { return true })
}

func decodeTLVs(data []byte, allowed func(TLVKind) bool) ([]TLV, error) {
	var items []TLV
	for len(data) > 0 {
		item, rest, err := decodeTLV(data)
		if err != nil {
			return nil, err
		}
		if !allowed(item.Kind) {
			return nil, fmt.Errorf("%w: TLV %d of kind %d in the wrong place", ErrMalformed, item.ID, item.Kind)
		}
		items = append(items, item)
		data = rest
	}
	return items, nil
}

func decodeTLV(data []byte) (item TLV, rest []byte, err error) {
	kind := data[0]
	item.Kind = TLVKind(kind >> 6)
	idSize, lengthSize := 1+int(kind>>5&1), int(kind>>3&3)
	data = data[1:]
	if len(data) < idSize+lengthSize {
		return TLV{}, nil, fmt.Errorf("%w: TLV cut short", ErrMalformed)
	}
	item.ID = uint16(bigEndian(data[:idSize]))
	length := int(kind & 7)
	if lengthSize > 0 {
		length = bigEndian(data[idSize : idSize+lengthSize])
	}
	data = data[idSize+lengthSize:]
	if length > len(data) {
		return TLV{}, nil, fmt.Errorf("%w: value of TLV %d cut short", ErrMalformed, item.ID)
	}
	value, rest := data[:length], data[length:]
	if item.Kind.holdsOthers() {
		item.Children, err = decodeTLVs(value, item.Kind.mayHold)
	} else {
		item.Value = value
	}
	return item, rest, err
}

func bigEndian(data []byte) int {
	n := 0
	for _, b := range data {
		n = n<<8 | int(b)
	}
	return n
}

// EncodeTLV writes items one after the other, each in its shortest form. It
// fails when a value is longer than the format can say (16 MiB).
func EncodeTLV(items ...TLV) ([]byte, error) {
	var data []byte
	for _, item := range items {
		value := item.Value
		if item.Kind.holdsOthers() {
			var err error
			if value, err = EncodeTLV(item.Children...); err != nil {
				return nil, err
			}
		}
		if len(value) > maxTLVLength {
			return nil, fmt.Errorf("cannot write TLV %d of %d bytes", item.ID, len(value))
		}
		data = append(appendTLVHead(data, item, len(value)), value...)
	}
	return data, nil
}

func appendTLVHead(data []byte, item TLV, length int) []byte {
	kind := byte(item.Kind) << 6
	id := []byte{byte(item.ID)}
	if item.ID > 0xff {
		kind |= 1 << 5
		id = binary.BigEndian.AppendUint16(nil, item.ID)
	}
	var lengthBytes []byte
	switch {
	case length < 8:
		kind |= byte(length)
	case length <= 0xff:
		kind |= 1 << 3
		lengthBytes = []byte{byte(length)}
	case length <= 0xffff:
		kind |= 2 << 3
		lengthBytes = binary.BigEndian.AppendUint16(nil, uint16(length))
	default:
		kind |= 3 << 3
		lengthBytes = []byte{byte(length >> 16), byte(length >> 8), byte(length)}
	}
	data = append(data, kind)
	data = append(data, id...)
	return append(data, lengthBytes...)
}

// Text makes a resource of a text (UTF-8).
func Text(id uint16, value string) TLV { return TLV{Kind: Resource, ID: id, Value: []byte(value)} }

// Opaque makes a resource of bytes.
func Opaque(id uint16, value []byte) TLV { return TLV{Kind: Resource, ID: id, Value: value} }

// Boolean makes a resource of a truth value: one byte.
func Boolean(id uint16, value bool) TLV {
	b := byte(0)
	if value {
		b = 1
	}
	return TLV{Kind: Resource, ID: id, Value: []byte{b}}
}

// Integer makes a resource of a number: two's complement, big-endian, in the
// shortest of 1, 2, 4 and 8 bytes.
func Integer(id uint16, value int64) TLV {
	full := binary.BigEndian.AppendUint64(nil, uint64(value))
	for _, size := range []int{1, 2, 4} {
		unused := 64 - 8*size
		if value<<unused>>unused == value {
			return TLV{Kind: Resource, ID: id, Value: full[8-size:]}
		}
	}
	return TLV{Kind: Resource, ID: id, Value: full}
}

// Integer reads the value as a number of 1, 2, 4 or 8 bytes.
func (t TLV) Integer() (int64, error) {
	switch len(t.Value) {
	case 1, 2, 4, 8:
	default:
		return 0, fmt.Errorf("%w: number of %d bytes in TLV %d", ErrMalformed, len(t.Value), t.ID)
	}
	n := int64(int8(t.Value[0]))
	for _, b := range t.Value[1:] {
		n = n<<8 | int64(b)
	}
	return n, nil
}

// Float makes a resource of a number: IEEE 754, 8 bytes.
func Float(id uint16, value float64) TLV {
	return TLV{Kind: Resource, ID: id, Value: binary.BigEndian.AppendUint64(nil, math.Float64bits(value))}
}

// Float reads the value as an IEEE 754 number of 4 or 8 bytes.
func (t TLV) Float() (float64, error) {
	switch len(t.Value) {
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(t.Value))), nil
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(t.Value)), nil
	default:
		return 0, fmt.Errorf("%w: floating-point number of %d bytes in TLV %d", ErrMalformed, len(t.Value), t.ID)
	}
}

// Boolean reads the value as a truth value.
func (t TLV) Boolean() (bool, error) {
	if len(t.Value) != 1 || t.Value[0] > 1 {
		return false, fmt.Errorf("%w: truth value %x in TLV %d", ErrMalformed, t.Value, t.ID)
	}
	return t.Value[0] == 1, nil
}
