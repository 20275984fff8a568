// Package openssl is TLS 1.2 over TCP as the original device client speaks it:
// one CoAP message in the datagram format (RFC 7252 §3) is one TLS record, both
// ways. Go's crypto/tls has none of the client's only cipher suite
// (ECDHE-ECDSA-AES128-CCM8, RFC 7251), so OpenSSL makes the handshakes: in
// memory, without a socket and without waiting. Sockets, time limits, whom to
// let in, and the records after the handshake (package record) are Go's.
//
// Clients of CoAP over TLS (RFC 8323) are served on the same port: coap.Framing
// tells them apart. internal/cloudapp listens with it beside coap.Listen on the
// same port number; what it accepts is served like any other coap.Conn.
//
// OpenSSL is there when the program was built with the tag openssl (cgo and
// OpenSSL's headers needed). Without the tag Supported is false, and Listen and
// Dial return ErrNotBuilt.
package openssl

import "errors"

// ErrNotBuilt is returned when the program was built without OpenSSL.
var ErrNotBuilt = errors.New("built without OpenSSL")

// Suite is a cipher suite's number on the wire.
type Suite uint16

// The suites of the two kinds of clients.
const (
	// CCM8 is TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 (RFC 7251), the only one of
	// the original client.
	CCM8 Suite = 0xC0AE
	// GCM is TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (RFC 5289), for all others.
	GCM Suite = 0xC02B
)

// The suites of clients with a pre-shared key.
const (
	// PSKCCM8 is TLS_PSK_WITH_AES_128_CCM_8 (RFC 6655), which every LwM2M device
	// with such a key has.
	PSKCCM8 Suite = 0xC0A8
	// PSKGCM is TLS_PSK_WITH_AES_128_GCM_SHA256 (RFC 5487).
	PSKGCM Suite = 0x00A8
)

// String is the suite's name in OpenSSL.
func (s Suite) String() string {
	switch s {
	case CCM8:
		return "ECDHE-ECDSA-AES128-CCM8"
	case GCM:
		return "ECDHE-ECDSA-AES128-GCM-SHA256"
	case PSKCCM8:
		return "PSK-AES128-CCM8"
	case PSKGCM:
		return "PSK-AES128-GCM-SHA256"
	default:
		return "unknown suite"
	}
}

// registered is the suite's name as IANA has it.
func (s Suite) registered() string {
	switch s {
	case CCM8:
		return "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"
	case GCM:
		return "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
	case PSKCCM8:
		return "TLS_PSK_WITH_AES_128_CCM_8"
	case PSKGCM:
		return "TLS_PSK_WITH_AES_128_GCM_SHA256"
	default:
		return ""
	}
}
