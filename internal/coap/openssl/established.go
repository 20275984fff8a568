package openssl

import (
	"fmt"

	"mbl/internal/coap/record"
)

// established is the TLS of a connection whose handshake is done: OpenSSL is
// not needed for it, and would keep 20 KiB of each (docs/decisions/0065). One
// goroutine at a time may use it.
type established struct {
	stream *record.Stream
	most   int    // bytes the peer takes in a record
	out    []byte // to be sent
}

// establish takes over from a handshake whose last record is sent.
func establish(reached state, passed record.Passed) (*established, error) {
	stream, err := record.NewStream(reached.secrets, passed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return &established{stream: stream, most: reached.most}, nil
}

// read decrypts a record. It returns nil for one without a message, io.EOF for
// close_notify. It may add an alert to the output.
func (e *established) read(next []byte) ([]byte, error) {
	message, answer, err := e.stream.Open(next)
	e.out = append(e.out, answer...)
	return message, err
}

// write encrypts a message as one record of the output.
func (e *established) write(message []byte) error {
	if len(message) > e.most {
		return fmt.Errorf("cannot send %d bytes to a peer that takes %d in a record", len(message), e.most)
	}
	return e.add(record.ApplicationData, message)
}

// shutdown adds close_notify to the output.
func (e *established) shutdown() {
	_ = e.add(record.Alert, record.CloseNotify()) // without a number left the end of the stream has to do
}

func (e *established) add(kind record.Kind, content []byte) error {
	sealed, err := e.stream.Seal(kind, content)
	if err != nil {
		return err
	}
	e.out = append(e.out, sealed...)
	return nil
}

// output takes what is to be sent.
func (e *established) output() []byte {
	output := e.out
	e.out = nil
	return output
}
