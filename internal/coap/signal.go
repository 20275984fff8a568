package coap

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Messages about the connection itself (RFC 8323 §5).
const (
	signalClass = 7

	capabilities Code = 7<<5 | 1
	ping         Code = 7<<5 | 2
	pong         Code = 7<<5 | 3
	release      Code = 7<<5 | 4
	abort        Code = 7<<5 | 5
)

// Options of those messages; each code has numbers of its own.
const (
	blockWiseTransfer OptionID = 4 // of capabilities
	custody           OptionID = 2 // of ping and pong
	badCSMOption      OptionID = 2 // of abort
)

// settings is our Capabilities and Settings Message. We take blocks. We do not
// name a size: clients may send up to 1152 bytes then, so that blocks stay as
// they are elsewhere.
func settings() []byte {
	return signalFrame(capabilities, nil, Options{{ID: blockWiseTransfer}}, "")
}

func signalFrame(code Code, token []byte, options Options, payload string) []byte {
	m := &Message{Options: options, Payload: []byte(payload)}
	body, err := m.Marshal()
	if err != nil {
		panic(err) // our own options are short
	}
	return appendFrame(nil, frame{code, token, body[headerSize:]})
}

// signal deals with a message about the connection. It returns what concerns
// the session: the answer to its ping.
func (f *Framing) signal(m frame, send func([]byte) error) ([]byte, error) {
	var content Message
	if err := content.parseOptions(m.body); err != nil {
		return nil, refuse(send, fmt.Errorf("%w: %w", ErrFraming, err), nil)
	}
	if unknown, ok := unknownSignal(m.code, content.Options); ok {
		problem := fmt.Errorf("%w: option %d of %s is not known", ErrFraming, unknown, m.code)
		return nil, refuse(send, problem, shortestUint(uint32(unknown)))
	}
	switch m.code {
	case ping:
		var options Options
		if value, ok := content.Options.Get(custody); ok {
			options.Add(custody, value) // every request before it has been taken in
		}
		return nil, send(signalFrame(pong, m.token, options, ""))
	case pong:
		return pongAsReset(m.token), nil
	case release, abort:
		return nil, io.EOF
	default:
		return nil, nil
	}
}

// unknownSignal finds an option that must be understood and is not (RFC 8323
// §5.2).
func unknownSignal(code Code, options Options) (OptionID, bool) {
	if code == abort {
		return 0, false // there is nobody to tell
	}
	for _, option := range options {
		if option.ID.Critical() {
			return option.ID, true
		}
	}
	return 0, false
}

// pongAsReset is what answers a ping in the datagram format; our pings have
// their message id as token.
func pongAsReset(token []byte) []byte {
	if len(token) != 2 {
		return nil // of no ping of ours
	}
	reset := []byte{1<<6 | byte(Reset)<<4, byte(Empty)}
	return binary.BigEndian.AppendUint16(reset, binary.BigEndian.Uint16(token))
}

// refuse tells the client what is wrong with it and returns that.
func refuse(send func([]byte) error, problem error, badOption []byte) error {
	var options Options
	if badOption != nil {
		options.Add(badCSMOption, badOption)
	}
	if err := send(signalFrame(abort, nil, options, problem.Error())); err != nil {
		return err
	}
	return problem
}
