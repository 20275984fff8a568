package openssl

import (
	"encoding/binary"
	"net"

	"mbl/internal/coap/record"
)

// handshake moves records between a socket and an engine until both sides
// agree.
type handshake struct {
	socket  *net.TCPConn
	records *recordReader
	tls     engine
	inspect func(record []byte) error // is shown the peer's records first; may be nil

	encrypting bool // we have sent ChangeCipherSpec
	decrypting bool // the peer has
	passed     record.Passed
}

// run begins with records that were read before, or for a client with a nil
// one, and returns when the engine is done. What that has written last is not
// sent yet.
func (h *handshake) run(first [][]byte) (state, error) {
	for {
		next, err := h.next(&first)
		if err == nil && h.inspect != nil {
			err = h.inspect(next)
		}
		if err != nil {
			return state{}, err
		}
		done, err := h.take(next)
		switch {
		case err != nil:
			return state{}, err
		case done:
			return h.tls.state()
		}
		if err := h.send(); err != nil {
			return state{}, err
		}
	}
}

// take gives the engine a record, and counts it if it is encrypted.
func (h *handshake) take(next []byte) (done bool, err error) {
	switch {
	case h.decrypting:
		h.passed.Received++
	case len(next) > 0 && next[0] == recordChangeCipherSpec:
		h.decrypting = true
	}
	return h.tls.handshake(next)
}

func (h *handshake) next(first *[][]byte) ([]byte, error) {
	if len(*first) == 0 {
		return h.records.next()
	}
	record := (*first)[0]
	*first = (*first)[1:]
	return record, nil
}

// send sends what the engine has written.
func (h *handshake) send() error {
	output := h.tls.output()
	if output == nil {
		return nil
	}
	h.note(output)
	_, err := h.socket.Write(output)
	return err
}

// note counts our encrypted records, and remembers the nonce of the last, whose
// explicit part begins its body (RFC 5246 §6.2.3.3): OpenSSL's is a random
// number, and who takes over must not use it again.
func (h *handshake) note(output []byte) {
	const explicitSize = 8
	for len(output) >= recordHeaderSize {
		length := recordHeaderSize + int(binary.BigEndian.Uint16(output[3:]))
		if length > len(output) {
			return
		}
		switch {
		case output[0] == recordChangeCipherSpec:
			h.encrypting = true
		case h.encrypting && length >= recordHeaderSize+explicitSize:
			h.passed.Sent++
			h.passed.Explicit = binary.BigEndian.Uint64(output[recordHeaderSize:])
		}
		output = output[length:]
	}
}
