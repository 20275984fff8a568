package coap

import (
	"bytes"
	"crypto/x509"
	"sync/atomic"
	"time"
	"weak"
)

// Proof is a Peer as it is kept while its connection idles: certificates as
// they were sent. Taken apart they need ten times the room, and are kept so
// until the garbage collector comes round. It is safe for concurrent use.
type Proof struct {
	chain     [][]byte // DER, the peer's own first
	sharedKey string
	since     time.Time
	parsed    atomic.Pointer[weak.Pointer[parsedChain]]
}

type parsedChain struct{ certificates []*x509.Certificate }

// NewProof keeps a peer.
func NewProof(peer Peer) *Proof {
	p := &Proof{sharedKey: peer.SharedKey, since: peer.Since}
	if peer.Certificate == nil {
		return p
	}
	parsed := &parsedChain{append([]*x509.Certificate{peer.Certificate}, peer.Others...)}
	for _, certificate := range parsed.certificates {
		p.chain = append(p.chain, bytes.Clone(certificate.Raw))
	}
	p.remember(parsed)
	return p
}

// Peer is the peer that was kept.
func (p *Proof) Peer() Peer {
	peer := Peer{SharedKey: p.sharedKey, Since: p.since}
	if len(p.chain) == 0 {
		return peer
	}
	certificates := p.certificates()
	peer.Certificate, peer.Others = certificates[0], certificates[1:]
	return peer
}

func (p *Proof) certificates() []*x509.Certificate {
	if pointer := p.parsed.Load(); pointer != nil {
		if parsed := pointer.Value(); parsed != nil {
			return parsed.certificates
		}
	}
	parsed := &parsedChain{}
	for _, der := range p.chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err) // it was a certificate before
		}
		parsed.certificates = append(parsed.certificates, certificate)
	}
	p.remember(parsed)
	return parsed.certificates
}

func (p *Proof) remember(parsed *parsedChain) {
	pointer := weak.Make(parsed)
	p.parsed.Store(&pointer)
}
