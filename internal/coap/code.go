package coap

import "fmt"

// Type is the message type (RFC 7252 §3).
type Type uint8

// The message types.
const (
	Confirmable     Type = 0
	NonConfirmable  Type = 1
	Acknowledgement Type = 2
	Reset           Type = 3
)

// String is the three letters the RFC uses.
func (t Type) String() string {
	switch t {
	case Confirmable:
		return "CON"
	case NonConfirmable:
		return "NON"
	case Acknowledgement:
		return "ACK"
	case Reset:
		return "RST"
	default:
		return fmt.Sprintf("Type(%d)", uint8(t))
	}
}

// Code is a request method or a response code, class in the upper three bits
// and detail in the lower five (RFC 7252 §3, §12.1).
type Code uint8

// The codes in use here. Empty marks a message that is neither request nor
// response.
const (
	Empty  Code = 0
	GET    Code = 1
	POST   Code = 2
	PUT    Code = 3
	DELETE Code = 4

	Created  Code = 2<<5 | 1
	Deleted  Code = 2<<5 | 2
	Valid    Code = 2<<5 | 3
	Changed  Code = 2<<5 | 4
	Content  Code = 2<<5 | 5
	Continue Code = 2<<5 | 31

	BadRequest               Code = 4 << 5
	Unauthorized             Code = 4<<5 | 1
	BadOption                Code = 4<<5 | 2
	Forbidden                Code = 4<<5 | 3
	NotFound                 Code = 4<<5 | 4
	MethodNotAllowed         Code = 4<<5 | 5
	NotAcceptable            Code = 4<<5 | 6
	RequestEntityIncomplete  Code = 4<<5 | 8
	PreconditionFailed       Code = 4<<5 | 12
	RequestEntityTooLarge    Code = 4<<5 | 13
	UnsupportedContentFormat Code = 4<<5 | 15

	InternalServerError  Code = 5 << 5
	NotImplemented       Code = 5<<5 | 1
	ServiceUnavailable   Code = 5<<5 | 3
	GatewayTimeout       Code = 5<<5 | 4
	ProxyingNotSupported Code = 5<<5 | 5
)

// Class is the digit before the point: 0 request, 2 success, 4 client error,
// 5 server error.
func (c Code) Class() uint8 { return uint8(c) >> 5 }

// Detail is the number after the point.
func (c Code) Detail() uint8 { return uint8(c) & 0x1f }

// String is the method's name, or the dotted form, such as "2.05".
func (c Code) String() string {
	switch c {
	case GET:
		return "GET"
	case POST:
		return "POST"
	case PUT:
		return "PUT"
	case DELETE:
		return "DELETE"
	default:
		return fmt.Sprintf("%d.%02d", c.Class(), c.Detail())
	}
}

// IsRequest tells whether the code is a method.
func (c Code) IsRequest() bool { return c != Empty && c.Class() == 0 }

// IsResponse tells whether the code is a response code.
func (c Code) IsResponse() bool { return c.Class() >= 2 && c.Class() <= 5 }

// IsSuccess tells whether the code is a 2.xx response.
func (c Code) IsSuccess() bool { return c.Class() == 2 }
