package openssl

import (
	"crypto/tls"
	"errors"
	"time"

	"mbl/internal/coap/record"
)

// contextConfig says what all connections of one kind have in common.
type contextConfig struct {
	server      bool
	certificate tls.Certificate
	suite       Suite
	keys        bool // pre-shared keys in place of certificates; suite means nothing then
	// sessions names what sessions belong to; only there they can be resumed.
	// Empty: a server keeps none.
	sessions string
	lifetime time.Duration // of sessions
}

// engineContext makes engines. It is freed when no new ones are needed.
type engineContext interface {
	newEngine() (engine, error)
	free()
}

// engine is the handshake of one connection without the connection: it is given
// the peer's records, one at a time, and gives records to be sent. It never
// waits. One goroutine at a time may use it. It must be freed, and not be used
// then.
type engine interface {
	// offer lets a server resume a session, a client ask to. approve is asked
	// about the certificate (DER) that the peer proved to hold when the session
	// was made; its error is returned.
	offer(session []byte, approve func(certificate []byte) error) error
	// useKey sets the pre-shared key of an identity, a client's own, or of the one
	// that the client names in the next record.
	useKey(identity string, key []byte) error
	// handshake goes on with the peer's record; a client begins with nil. It
	// is done before the last output is sent.
	handshake(record []byte) (done bool, err error)
	// state describes a handshake that is done.
	state() (state, error)
	// output takes what is to be sent.
	output() []byte
	free()
}

// state is what two peers agreed on.
type state struct {
	suite     Suite
	resumed   bool
	chain     [][]byte // the peer's certificates, its own first; if resumed that one alone
	sessionID []byte
	session   []byte // to offer another time; secret
	secrets   record.Secrets
	most      int // bytes the peer takes in a record (RFC 6066 §4)
}

// errProtocol marks failures of the handshake, not of the network.
var errProtocol = errors.New("TLS failed")
