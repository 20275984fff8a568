package coap

import (
	"encoding/binary"
	"slices"

	"github.com/pion/dtls/v3"
)

// Sizes and numbers of DTLS on the wire (RFC 6347 §4.1, §4.2.2; RFC 9146 §4).
const (
	recordHeaderSize    = 13
	handshakeHeaderSize = 12
	recordHandshake     = 22
	recordWithID        = 25 // its header holds a connection id before the length
	clientHelloMessage  = 1
	helloVerifyMessage  = 3
	randomSize          = 32
	dtls12Major         = 254
	dtls12Minor         = 253
	maxSequence         = 1<<48 - 1

	connectionIDExtension = 54  // RFC 9146 §3
	draftIDExtension      = 254 // of the draft before it, as Mbed TLS 2 has it
)

// clientHello is the datagram by which a client begins, as far as a cookie is
// concerned.
type clientHello struct {
	record   uint64 // sequence number of the record
	message  uint16 // of the handshake message
	random   [randomSize]byte
	cookie   []byte
	datagram []byte
	before   []byte // of the message's body, what comes before the cookie
	after    []byte // what comes after it
	settled  int    // bytes of after that a cookie does not let change
}

// parseClientHello reads the ClientHello that a datagram begins with, if it
// does. It must be in one piece.
func parseClientHello(datagram []byte) (*clientHello, bool) {
	if len(datagram) < recordHeaderSize+handshakeHeaderSize || datagram[0] != recordHandshake || epochOf(datagram) != 0 {
		return nil, false
	}
	record := datagram[recordHeaderSize:]
	size := int(binary.BigEndian.Uint16(datagram[11:]))
	if size > len(record) {
		return nil, false
	}
	record = record[:size]
	length, ok := wholeMessage(record)
	if !ok || record[0] != clientHelloMessage || len(record) < handshakeHeaderSize+length {
		return nil, false
	}
	hello := &clientHello{
		record:   binary.BigEndian.Uint64(datagram[3:]) & maxSequence,
		message:  binary.BigEndian.Uint16(record[4:]),
		datagram: datagram,
	}
	return hello, hello.take(record[handshakeHeaderSize : handshakeHeaderSize+length])
}

func epochOf(record []byte) uint16 { return binary.BigEndian.Uint16(record[3:]) }

// wholeMessage returns the length of a handshake message that is not cut into
// fragments.
func wholeMessage(message []byte) (int, bool) {
	if len(message) < handshakeHeaderSize {
		return 0, false
	}
	total, offset, length := uint24(message[1:]), uint24(message[6:]), uint24(message[9:])
	return total, offset == 0 && length == total
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// take reads the body: version, random, session id, cookie, suites,
// compression methods, and extensions.
func (h *clientHello) take(body []byte) bool {
	at := 2 + randomSize
	if len(body) < at {
		return false
	}
	copy(h.random[:], body[2:])
	if at = skip(body, at, 1); at < 0 { // session id
		return false
	}
	cookie := at
	if at = skip(body, at, 1); at < 0 {
		return false
	}
	h.before, h.cookie, h.after = body[:cookie], body[cookie+1:at], body[at:]
	end := skip(h.after, 0, 2) // suites
	if end >= 0 {
		end = skip(h.after, end, 1) // compression methods
	}
	h.settled = end
	return end >= 0
}

// connectionID is what the client wants to see on our records (RFC 9146 §3);
// empty or nil if nothing.
func (h *clientHello) connectionID() []byte {
	id, _ := h.offeredID(connectionIDExtension)
	return id
}

// takesDraftID tells whether a client would put a connection id on its records
// and wants none on ours, as the draft before RFC 9146 has it alone.
func (h *clientHello) takesDraftID() bool {
	id, offered := h.offeredID(draftIDExtension)
	_, newer := h.offeredID(connectionIDExtension)
	return offered && len(id) == 0 && !newer
}

// chosen is the suite that the library will choose of ours: the first of the
// client's that is among them.
func (h *clientHello) chosen(ours []dtls.CipherSuiteID) (suite dtls.CipherSuiteID, ok bool) {
	end := skip(h.after, 0, 2)
	if end < 0 {
		return 0, false
	}
	for theirs := h.after[2:end]; len(theirs) >= 2; theirs = theirs[2:] {
		suite = dtls.CipherSuiteID(binary.BigEndian.Uint16(theirs))
		if slices.Contains(ours, suite) {
			return suite, true
		}
	}
	return 0, false
}

// offeredID is the connection id that an extension of a kind has.
func (h *clientHello) offeredID(extension uint16) (id []byte, offered bool) {
	end := skip(h.after, h.settled, 2)
	if end < 0 {
		return nil, false
	}
	for rest := h.after[h.settled+2 : end]; len(rest) >= 4; {
		kind, size := binary.BigEndian.Uint16(rest), skip(rest, 2, 2)
		if size < 0 {
			return nil, false
		}
		if body := rest[4:size]; kind == extension && len(body) > 0 && len(body) == 1+int(body[0]) {
			id, offered = body[1:], true
		}
		rest = rest[size:]
	}
	return id, offered
}

// skip returns where a field ends that begins with its length in so many
// bytes, or -1.
func skip(body []byte, at, size int) int {
	if len(body) < at+size {
		return -1
	}
	length := int(body[at])
	if size == 2 {
		length = int(binary.BigEndian.Uint16(body[at:]))
	}
	if at += size + length; at > len(body) {
		return -1
	}
	return at
}

// first is the datagram with which the client has begun before it was given a
// cookie, or one that says the same.
func (h *clientHello) first() []byte {
	body := make([]byte, 0, len(h.before)+1+len(h.after))
	body = append(append(append(body, h.before...), 0), h.after...)
	return handshakeRecord(0, clientHelloMessage, body)
}

// verifyRequest asks the client for a cookie (RFC 6347 §4.2.1). The record has
// the sequence number of what it answers.
func (h *clientHello) verifyRequest(cookie []byte) []byte {
	body := append([]byte{dtls12Major, dtls12Minor, byte(len(cookie))}, cookie...)
	return handshakeRecord(h.record, helloVerifyMessage, body)
}

// handshakeRecord makes a plaintext record with the first handshake message of
// its sender.
func handshakeRecord(sequence uint64, kind byte, body []byte) []byte {
	length := handshakeHeaderSize + len(body)
	record := make([]byte, recordHeaderSize+length)
	binary.BigEndian.PutUint64(record[3:], sequence) // epoch 0 in front of it
	record[0], record[1], record[2] = recordHandshake, dtls12Major, dtls12Minor
	binary.BigEndian.PutUint16(record[11:], uint16(length))
	message := record[recordHeaderSize:]
	message[0] = kind
	putUint24(message[1:], len(body))
	putUint24(message[9:], len(body))
	copy(message[handshakeHeaderSize:], body)
	return record
}

func putUint24(b []byte, n int) {
	b[0], b[1], b[2] = byte(n>>16), byte(n>>8), byte(n)
}
