package openssl

import (
	"bytes"
	"errors"
	"io"

	"golang.org/x/crypto/cryptobyte"
)

const (
	// maxHello bounds what is read of a client before it has said what it is.
	// Clients with large key shares need about 2 KiB, the original one 90 bytes.
	maxHello = 8 << 10

	typeClientHello       = 1 // RFC 5246 §7.4
	typeClientKeyExchange = 16
	handshakeHeaderSize   = 4      // type and length, RFC 5246 §7.4
	renegotiationSCSV     = 0x00FF // RFC 5746 §3.3
)

var (
	errHello       = errors.New("malformed ClientHello")
	errKeyExchange = errors.New("malformed ClientKeyExchange")
)

// clientHello is what we want to know of a client before OpenSSL sees it.
type clientHello struct {
	sessionID []byte
	suites    []uint16
}

// offersOnly says whether a client has no other suite than one.
func (h *clientHello) offersOnly(suite Suite) bool {
	found := false
	for _, offered := range h.suites {
		switch offered {
		case uint16(suite):
			found = true
		case renegotiationSCSV:
		default:
			return false
		}
	}
	return found
}

// prefersKey says whether a client would rather use a pre-shared key than a
// certificate: the first suite that we have says so.
func (h *clientHello) prefersKey() bool {
	for _, offered := range h.suites {
		switch Suite(offered) {
		case PSKCCM8, PSKGCM:
			return true
		case CCM8, GCM:
			return false
		}
	}
	return false
}

// keyIdentity reads the identity of a pre-shared key in a record of a client's
// handshake (ClientKeyExchange, RFC 4279 §2). named is false for other records.
func keyIdentity(record []byte) (identity string, named bool, err error) {
	body := cryptobyte.String(record)
	var kind uint8
	var message, name cryptobyte.String
	if !body.Skip(recordHeaderSize) || record[0] != recordHandshake || len(body) == 0 || body[0] != typeClientKeyExchange {
		return "", false, nil
	}
	whole := body.ReadUint8(&kind) && body.ReadUint24LengthPrefixed(&message) &&
		message.ReadUint16LengthPrefixed(&name) && message.Empty() && body.Empty()
	if !whole || len(name) == 0 || bytes.IndexByte(name, 0) >= 0 {
		return "", false, errKeyExchange
	}
	return string(name), true, nil
}

// peekHello reads the records of a ClientHello, and returns them for OpenSSL
// to read again. Errors of the records' source are returned as they are.
func peekHello(records *recordReader) (*clientHello, [][]byte, error) {
	var taken [][]byte
	var message []byte
	for size := 0; size <= maxHello; {
		record, err := records.next()
		if err != nil {
			return nil, nil, err
		}
		if record[0] != recordHandshake || len(record) == recordHeaderSize {
			return nil, nil, errHello
		}
		size += len(record)
		taken = append(taken, record)
		message = append(message, record[recordHeaderSize:]...)
		hello, err := parseClientHello(message)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			return hello, taken, err
		}
	}
	return nil, nil, errHello
}

// parseClientHello reads a handshake message (RFC 5246 §7.4.1.2). It returns
// io.ErrUnexpectedEOF when more is to come, errHello for anything else that
// is not one ClientHello.
func parseClientHello(message []byte) (*clientHello, error) {
	if len(message) > 0 && message[0] != typeClientHello {
		return nil, errHello
	}
	if len(message) < handshakeHeaderSize {
		return nil, io.ErrUnexpectedEOF
	}
	length := int(message[1])<<16 | int(message[2])<<8 | int(message[3])
	switch body := message[handshakeHeaderSize:]; {
	case length > maxHello || len(body) > length:
		return nil, errHello
	case len(body) < length:
		return nil, io.ErrUnexpectedEOF
	default:
		return parseHelloBody(body)
	}
}

func parseHelloBody(body cryptobyte.String) (*clientHello, error) {
	const versionAndRandom = 2 + 32
	const longestSessionID = 32
	var id, suites, compressions cryptobyte.String
	ok := body.Skip(versionAndRandom) &&
		body.ReadUint8LengthPrefixed(&id) && len(id) <= longestSessionID &&
		body.ReadUint16LengthPrefixed(&suites) && len(suites) > 0 &&
		body.ReadUint8LengthPrefixed(&compressions) && len(compressions) > 0 &&
		isExtensions(body)
	if !ok {
		return nil, errHello
	}
	hello := &clientHello{sessionID: id}
	for len(suites) > 0 {
		var suite uint16
		if !suites.ReadUint16(&suite) {
			return nil, errHello
		}
		hello.suites = append(hello.suites, suite)
	}
	return hello, nil
}

// isExtensions says whether rest is a list of extensions or nothing.
func isExtensions(rest cryptobyte.String) bool {
	if rest.Empty() {
		return true
	}
	var list, data cryptobyte.String
	if !rest.ReadUint16LengthPrefixed(&list) || !rest.Empty() {
		return false
	}
	for !list.Empty() {
		if !list.Skip(2) || !list.ReadUint16LengthPrefixed(&data) {
			return false
		}
	}
	return true
}
