package openssl

import "net"

// handshake moves records between a socket and an engine until both sides
// agree.
type handshake struct {
	socket  *net.TCPConn
	records *recordReader
	tls     engine
}

// run begins with records that were read before, or for a client with a nil
// one, and returns when the engine is done. What that has written last is not
// sent yet.
func (h *handshake) run(first [][]byte) (state, error) {
	for {
		record, err := h.next(&first)
		if err != nil {
			return state{}, err
		}
		done, err := h.tls.handshake(record)
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
	_, err := h.socket.Write(output)
	return err
}
