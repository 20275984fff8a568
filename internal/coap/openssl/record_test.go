package openssl

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

var errInterrupted = errors.New("interrupted")

// stuttering gives one byte, then an error, then the next byte.
type stuttering struct {
	rest []byte
	fail bool
}

func (s *stuttering) Read(to []byte) (int, error) {
	if s.fail = !s.fail; s.fail {
		return 0, errInterrupted
	}
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(to[:1], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func TestInterruptedReadingOfARecordGoesOn(t *testing.T) {
	stream := inRecords([]byte("one message in three records"), 10)
	records := recordReader{source: &stuttering{rest: bytes.Clone(stream)}}
	var read []byte
	for {
		record, err := records.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, errInterrupted) {
			t.Fatal(err)
		}
		read = append(read, record...)
	}
	if !bytes.Equal(read, stream) {
		t.Errorf("read %x, want %x", read, stream)
	}
}

func TestStreamThatEndsInARecordIsBroken(t *testing.T) {
	stream := inRecords([]byte("a message"), 10)
	for cut := 1; cut < len(stream); cut++ {
		records := recordReader{source: bytes.NewReader(stream[:cut])}
		if _, err := records.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
	}
}
