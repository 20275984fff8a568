package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// A TLS record on the wire (RFC 5246 §6.2.1): type, version, length.
const (
	streamHeaderSize = 5
	tlsVersion       = 0x0303 // 1.2
	// MostContent is the longest content of a record (§6.2.1).
	MostContent = 1 << 14
)

// ErrBroken says that the peer broke the rules of TLS, or that it says we did. The
// connection cannot go on.
var ErrBroken = errors.New("TLS failed")

// Stream is one side of a TLS 1.2 connection whose handshake is done, with an
// AEAD. One goroutine at a time may use it.
type Stream struct {
	keys           *keys
	sent, received uint64 // records of either side
	explicit       uint64 // of our next record's nonce
	last           uint64 // of all
}

// Passed is what a handshake has encrypted: Finished of either side at least,
// which may come in pieces and with warnings before it.
type Passed struct {
	Sent, Received uint64 // records
	Explicit       uint64 // part of the nonce of the last one sent
}

// NewStream takes over from a handshake. Records are numbered on from those
// that have passed.
func NewStream(s Secrets, passed Passed) (*Stream, error) {
	if passed.Sent == 0 || passed.Received == 0 {
		return nil, errors.New("the handshake is not done")
	}
	k, err := newKeys(s)
	if err != nil {
		return nil, err
	}
	return &Stream{
		keys: k, sent: passed.Sent, received: passed.Received,
		explicit: passed.Explicit + 1, last: passed.Explicit,
	}, nil
}

// Seal makes the record of a content of at most MostContent bytes. It returns
// ErrExhausted when there is no number left for it.
func (s *Stream) Seal(kind Kind, content []byte) ([]byte, error) {
	if len(content) > MostContent {
		return nil, fmt.Errorf("%d bytes do not fit a record", len(content))
	}
	if s.sent == math.MaxUint64 || s.explicit == s.last {
		return nil, ErrExhausted
	}
	record := make([]byte, 0, streamHeaderSize+len(content)+s.keys.overhead())
	record = append(record, byte(kind))
	record = binary.BigEndian.AppendUint16(record, tlsVersion)
	record = binary.BigEndian.AppendUint16(record, uint16(len(content)+s.keys.overhead()))
	record, err := s.keys.seal(record, s.explicit, streamData(s.sent, kind, len(content)), content)
	s.sent++
	s.explicit++
	return record, err
}

// Open reads the peer's next record, whole with its header. message is nil for
// one without application data. answer is a record to send, or nil: an alert.
// It returns io.EOF when the peer closes, and ErrBroken.
func (s *Stream) Open(record []byte) (message, answer []byte, err error) {
	kind, content, description := s.decrypt(record)
	if description != 0 {
		return nil, s.complain(levelFatal, description), fmt.Errorf("%w: %s", ErrBroken, complaint(description))
	}
	switch kind {
	case ApplicationData:
		if len(content) == 0 {
			return nil, nil, nil
		}
		return content, nil, nil
	case Alert:
		ends, clean := Ends(content)
		switch {
		case clean:
			return nil, nil, io.EOF
		case ends:
			return nil, nil, fmt.Errorf("%w: peer sent alert %d", ErrBroken, content[1])
		default:
			return nil, nil, nil
		}
	case Handshake: // another one is not wanted (RFC 5246 §7.2.2)
		return nil, s.complain(levelWarning, noRenegotiation), nil
	default:
		return nil, s.complain(levelFatal, unexpectedMessage), fmt.Errorf("%w: %s", ErrBroken, complaint(unexpectedMessage))
	}
}

// decrypt returns a record's content, or the alert that it deserves.
func (s *Stream) decrypt(record []byte) (kind Kind, content []byte, description byte) {
	if len(record) < streamHeaderSize || binary.BigEndian.Uint16(record[1:]) != tlsVersion || s.received == math.MaxUint64 {
		return 0, nil, protocolVersion
	}
	kind = Kind(record[0])
	body := record[streamHeaderSize:]
	length := len(body) - s.keys.overhead()
	if length > MostContent {
		return 0, nil, recordOverflow
	}
	content, err := s.keys.open(streamData(s.received, kind, length), body)
	if err != nil {
		return 0, nil, badRecordMAC
	}
	s.received++
	return kind, content, 0
}

// complain makes the record of an alert; nil if there is no number left.
func (s *Stream) complain(level, description byte) []byte {
	record, err := s.Seal(Alert, []byte{level, description})
	if err != nil {
		return nil
	}
	return record
}

func complaint(description byte) string {
	switch description {
	case badRecordMAC:
		return "record is not authentic"
	case recordOverflow:
		return "record is too long"
	case protocolVersion:
		return "record of another version"
	default:
		return "unexpected record"
	}
}

// streamData is what is authenticated besides the content (RFC 5246 §6.2.3.3).
func streamData(number uint64, kind Kind, length int) []byte {
	data := make([]byte, 0, 13)
	data = binary.BigEndian.AppendUint64(data, number)
	data = append(data, byte(kind))
	data = binary.BigEndian.AppendUint16(data, tlsVersion)
	return binary.BigEndian.AppendUint16(data, uint16(length))
}
