package record

// Kind is a record's content type (RFC 5246 §6.2.1, RFC 9146 §4).
type Kind byte

// The content types.
const (
	ChangeCipherSpec Kind = 20
	Alert            Kind = 21
	Handshake        Kind = 22
	ApplicationData  Kind = 23
	withID           Kind = 25
)

// Alerts as a record's content (RFC 5246 §7.2): level and description.
const (
	levelWarning = 1
	levelFatal   = 2

	closeNotify       = 0
	unexpectedMessage = 10
	badRecordMAC      = 20
	recordOverflow    = 22
	protocolVersion   = 70
	noRenegotiation   = 100
)

// CloseNotify is the content of the alert that ends a connection.
func CloseNotify() []byte { return []byte{levelWarning, closeNotify} }

// Ends tells whether an alert with such a content ends the connection, and
// whether it ends as it should.
func Ends(alert []byte) (ends, clean bool) {
	if len(alert) != 2 {
		return false, false
	}
	clean = alert[1] == closeNotify
	return clean || alert[0] == levelFatal, clean
}
