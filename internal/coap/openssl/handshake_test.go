package openssl

import (
	"testing"

	"mbl/internal/coap/record"
)

// steps is an engine that is done after so many records.
type steps struct{ left int }

func (s *steps) handshake([]byte) (bool, error) {
	s.left--
	return s.left == 0, nil
}

func (*steps) offer([]byte, func([]byte) error) error { return nil }
func (*steps) useKey(string, []byte) error            { return nil }
func (*steps) state() (state, error)                  { return state{}, nil }
func (*steps) output() []byte                         { return nil }
func (*steps) free()                                  {}

// A peer may send its Finished in pieces, and a warning before it (RFC 5246
// §6.2.1, §7.2): the records that follow are numbered on from those.
func TestEveryEncryptedRecordOfAHandshakeCounts(t *testing.T) {
	spec := []byte{recordChangeCipherSpec, majorVersion, 3, 0, 1, 1}
	finished := []byte{recordHandshake, majorVersion, 3, 0, 24, 0, 0, 0, 0, 0, 0, 0, 5, 15: 1, 28: 0}
	warning := []byte{recordAlert, majorVersion, 3, 0, 18, 0, 0, 0, 0, 0, 0, 0, 4, 22: 0}
	h := &handshake{tls: &steps{5}}
	if _, err := h.run([][]byte{{recordHandshake, majorVersion, 3, 0, 0}, spec, warning, finished, finished}); err != nil {
		t.Fatal(err)
	}
	h.note(append(append([]byte{}, spec...), finished...))
	if want := (record.Passed{Sent: 1, Received: 3, Explicit: 5}); h.passed != want {
		t.Errorf("passed is %+v, not %+v", h.passed, want)
	}
}
