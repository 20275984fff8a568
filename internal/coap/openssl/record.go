package openssl

import (
	"errors"
	"io"
)

// A record on the wire (RFC 5246 §6.2.1): type, version, length, and as many
// bytes.
const (
	recordHeaderSize = 5
	// maxRecordBody is the longest encrypted record there may be (§6.2.3).
	maxRecordBody = 1<<14 + 2048
	// maxMessage is the longest message that fits a record.
	maxMessage = 1 << 14

	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordApplicationData  = 23

	majorVersion = 3
)

var errRecord = errors.New("malformed TLS record")

// recordReader takes a stream apart into records. A read that fails in the
// middle of one, because of a deadline, can be repeated. It holds no buffer
// while it waits for a record to begin.
type recordReader struct {
	source io.Reader
	header [recordHeaderSize]byte
	record []byte // header and body, once the header is known
	have   int    // bytes of it
}

// next returns a whole record, its header included, which is the caller's. It
// returns io.EOF when the stream ends between records.
func (r *recordReader) next() ([]byte, error) {
	if r.record == nil {
		if err := r.fill(r.header[:]); err != nil {
			return nil, err
		}
		length := int(r.header[3])<<8 | int(r.header[4])
		if !isRecordType(r.header[0]) || r.header[1] != majorVersion || length > maxRecordBody {
			return nil, errRecord
		}
		r.record = make([]byte, recordHeaderSize+length)
		copy(r.record, r.header[:])
	}
	if err := r.fill(r.record); err != nil {
		return nil, err
	}
	record := r.record
	r.record, r.have = nil, 0
	return record, nil
}

func (r *recordReader) fill(buffer []byte) error {
	for r.have < len(buffer) {
		n, err := r.source.Read(buffer[r.have:])
		r.have += n
		switch {
		case r.have == len(buffer):
			return nil
		case errors.Is(err, io.EOF) && r.have > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return nil
}

func isRecordType(kind byte) bool {
	return kind >= recordChangeCipherSpec && kind <= recordApplicationData
}
