package coap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrFraming says that a client of CoAP over TLS broke the rules of RFC 8323.
// It has been told so (Abort).
var ErrFraming = errors.New("CoAP over TLS broken")

// maxStreamMessage bounds a message of the stream, in bytes: what our sessions
// take of a body without blocks, and room for its options.
const maxStreamMessage = 68 << 10

// Framing is how one TCP client puts messages into its TLS connection. There
// are two ways, told apart by the first message:
//
//   - The original device client, and ours, put each message of the datagram
//     format (RFC 7252 §3) into a TLS record of its own, acknowledgements and
//     all.
//   - Clients of CoAP over TLS (RFC 8323) send a stream of messages that say
//     how long they are. The first is a Capabilities and Settings Message,
//     whose code no message of the datagram format can have.
//
// Session knows the datagram format alone. Messages of the stream are
// translated: what comes becomes non-confirmable, since a stream repeats
// nothing, and the acknowledgements, resets and repetitions of ours are left
// out. Blocks have the sizes of datagrams; BERT (RFC 8323 §6) is taken and not
// offered.
//
// The zero value is ready for a client that has not said anything yet.
type Framing struct {
	rest     []byte // received, and not yet a whole message; its reader's
	settled  bool   // the client's first message was its CSM; its reader's
	received uint16 // message id of the latest message translated; its reader's

	mu   sync.Mutex
	kind framingKind
	sent int32 // 1 + message id of our latest request or ping; 0: none
}

type framingKind uint8

const (
	unknownFraming framingKind = iota
	recordFraming
	streamFraming
)

// UseRecords settles for a message in each record, as a client does that knows
// what it is.
func (f *Framing) UseRecords() { f.use(recordFraming) }

func (f *Framing) use(kind framingKind) {
	f.mu.Lock()
	f.kind = kind
	f.mu.Unlock()
}

func (f *Framing) current() framingKind {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kind
}

// Next returns the client's next message, in the datagram format. receive
// returns what one record holds, send sends something as one. It answers what
// is no business of sessions: pings and settings of the stream. One goroutine
// at a time may call it. It returns io.EOF when the client says that it is
// leaving, ErrFraming, or receive's error.
func (f *Framing) Next(receive func() ([]byte, error), send func([]byte) error) ([]byte, error) {
	for {
		kind := f.current()
		if kind == streamFraming {
			message, err := f.nextOfStream(send)
			if message != nil || err != nil {
				return message, err
			}
		}
		data, err := receive()
		if err != nil || kind == recordFraming {
			return data, err
		}
		f.rest = append(f.rest, data...)
		if kind == streamFraming {
			continue
		}
		switch kindOf(f.rest) {
		case recordFraming:
			first := f.rest
			f.rest = nil
			f.use(recordFraming)
			return first, nil
		case streamFraming:
			// Ours is first, too; only then others may send.
			if err := send(settings()); err != nil {
				return nil, err
			}
			f.use(streamFraming)
		case unknownFraming: // more has to come
		}
	}
}

// kindOf tells the framings apart by how a client begins. A datagram's message
// begins with its version, 1 in two bits, which may also be the length of a
// message of the stream; but then the code follows, and only the stream has
// that of settings.
func kindOf(data []byte) framingKind {
	switch {
	case len(data) == 0:
		return unknownFraming
	case data[0]>>6 != 1:
		return streamFraming
	case len(data) == 1:
		return unknownFraming
	case Code(data[1]) == capabilities:
		return streamFraming
	default:
		return recordFraming
	}
}

// Frame returns what to send for a message in the datagram format; nil if
// nothing is to be sent. Before the client's first message that is nothing:
// sessions repeat themselves.
func (f *Framing) Frame(message []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.kind {
	case recordFraming:
		return message
	case streamFraming:
		return f.translate(message)
	default:
		return nil
	}
}

// translate makes a message of the stream. Session's own messages have their
// header and token.
func (f *Framing) translate(message []byte) []byte {
	kind, code, id := Type(message[0]>>4&3), Code(message[1]), binary.BigEndian.Uint16(message[2:])
	if kind == Confirmable {
		if f.sent == int32(id)+1 {
			return nil // a repetition
		}
		f.sent = int32(id) + 1
	}
	switch {
	case code != Empty:
		length := int(message[0] & 0x0f)
		token, body := message[headerSize:headerSize+length], message[headerSize+length:]
		return appendFrame(nil, frame{code, token, body})
	case kind == Confirmable:
		return appendFrame(nil, frame{code: ping, token: message[2:headerSize]})
	default:
		return nil // an acknowledgement or a reset
	}
}

// nextOfStream takes messages of the stream until one is for the session; nil
// when there is none that is whole.
func (f *Framing) nextOfStream(send func([]byte) error) ([]byte, error) {
	for {
		m, rest, err := cutFrame(f.rest)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil
		}
		if err == nil && !f.settled && m.code != capabilities {
			err = fmt.Errorf("%w: settings have to come first", ErrFraming)
		}
		if err != nil {
			return nil, refuse(send, err, nil)
		}
		f.settled = true
		f.rest = rest
		var message []byte
		if m.code.Class() == signalClass {
			message, err = f.signal(m, send)
		} else if m.code != Empty { // which says nothing (RFC 8323 §3.4)
			message = f.asDatagram(m)
		}
		if message != nil || err != nil {
			return message, err
		}
	}
}

// asDatagram is a message of the stream in the datagram format.
func (f *Framing) asDatagram(m frame) []byte {
	f.received++
	message := make([]byte, 0, headerSize+len(m.token)+len(m.body))
	message = append(message, 1<<6|byte(NonConfirmable)<<4|byte(len(m.token)), byte(m.code))
	message = binary.BigEndian.AppendUint16(message, f.received)
	message = append(message, m.token...)
	return append(message, m.body...)
}
