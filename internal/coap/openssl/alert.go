package openssl

import (
	"io"
	"net"
	"time"
)

// Alert is a reason to end a handshake that the peer is told (RFC 5246
// §7.2.2).
type Alert byte

// The alerts about a certificate.
const (
	BadCertificate         Alert = 42
	UnsupportedCertificate Alert = 43
	CertificateRevoked     Alert = 44
	CertificateExpired     Alert = 45
	CertificateUnknown     Alert = 46
	UnknownCA              Alert = 48
	AccessDenied           Alert = 49
)

// The alerts about a pre-shared key.
const (
	decodeError        Alert = 50
	unknownPSKIdentity Alert = 115 // RFC 4279 §2
)

const (
	alertFatal = 2

	// refusalLinger is how long a refused client may take to go.
	refusalLinger = 30 * time.Second
	// closeLinger is how long a peer may take to go after close_notify.
	closeLinger = 5 * time.Second
	// farewellLimit bounds what is read of a peer that should go, in bytes.
	farewellLimit = 64 << 10
	// farewellTimeout bounds the sending of the last record.
	farewellTimeout = 5 * time.Second
)

// record is the alert as long as nothing is encrypted (RFC 5246 §7.2).
func (a Alert) record() []byte {
	return []byte{recordAlert, majorVersion, 3, 0, 2, alertFatal, byte(a)}
}

// lastWord sends the last record to a peer, then reads and drops what comes
// until the peer closes: an original client that is still writing when the
// socket closes is killed by SIGPIPE, and what lies unread in a closed socket
// makes the system drop the last record.
func lastWord(socket net.Conn, record []byte, linger time.Duration) {
	defer socket.Close()
	_ = socket.SetWriteDeadline(time.Now().Add(farewellTimeout))
	if _, err := socket.Write(record); err != nil {
		return
	}
	readOut(socket, linger)
}

func readOut(socket net.Conn, linger time.Duration) {
	_ = socket.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.CopyN(io.Discard, socket, farewellLimit)
}
