package coap

import (
	"crypto/x509"
	"time"
)

// Peer is who is at the other end of a connection, as the handshake proved it.
type Peer struct {
	Certificate *x509.Certificate   // the peer's own; nil with a pre-shared key
	Others      []*x509.Certificate // what else of its chain it presented
	SharedKey   string              // identity of its pre-shared key (RFC 4279); empty with a certificate
	Since       time.Time           // when the handshake began; zero over TCP with a certificate
}

// PeerOf tells who is at the other end of a connection: all that its transport
// knows.
func PeerOf(conn Conn) Peer {
	if known, ok := conn.(interface{ Peer() Peer }); ok {
		return known.Peer()
	}
	return Peer{Certificate: conn.PeerCertificate()}
}
