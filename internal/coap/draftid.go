package coap

import (
	"sync"

	"github.com/pion/dtls/v3/pkg/protocol/extension"

	"mbl/internal/coap/record"
)

// draftID is the connection id of a client that has it as the draft before RFC
// 9146 does (docs/decisions/0085): the original client over UDP. The DTLS
// library knows nothing of it. The client's last record of a handshake carries
// the id, and is put into a form that the library reads.
type draftID struct {
	id peerID

	mu      sync.Mutex
	secrets *record.Secrets // once they are agreed on
	held    []record.Record // records that came before
}

// maxHeld is how many records may wait for the secrets: a client sends one, and
// may repeat it.
const maxHeld = 4

// readable is what of a datagram the library can read now; empty if nothing.
func (d *draftID) readable(datagram []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	var plain []byte
	for rest := datagram; ; {
		r, after, ok := record.Cut(rest, peerIDSize)
		switch {
		case !ok:
			return plain
		case !r.HasID():
			plain = append(plain, rest[:len(rest)-len(after)]...)
		case d.secrets != nil:
			plain = append(plain, d.translate(r)...)
		case len(d.held) < maxHeld:
			d.held = append(d.held, r.Clone())
		}
		rest = after
	}
}

// learn takes in the secrets, and returns what can be read with them.
func (d *draftID) learn(secrets record.Secrets) (plain []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets = &secrets
	for _, r := range d.held {
		plain = append(plain, d.translate(r)...)
	}
	d.held = nil
	return plain
}

// translate makes the record that the client would have sent without an id; nil
// if it is not the client's, or not of the handshake. d.mu is held.
func (d *draftID) translate(r record.Record) []byte {
	theirs, err := record.NewAssociation(*d.secrets, record.IDs{Own: d.id[:], Draft: true}, 0)
	if err != nil {
		return nil
	}
	content, err := theirs.Open(r)
	if err != nil || content.Kind != record.Handshake {
		return nil
	}
	asClient := *d.secrets
	asClient.Client = true
	plain, err := record.NewAssociation(asClient, record.IDs{}, r.Number())
	if err != nil {
		return nil
	}
	sealed, err := plain.Seal(record.Handshake, content.Data)
	if err != nil {
		return nil
	}
	return sealed
}

// draftExtension tells the client its id, in ServerHello.
type draftExtension struct{ id peerID }

var _ extension.Extension = draftExtension{}

// Marshal implements extension.Extension.
func (e draftExtension) Marshal() ([]byte, error) {
	head := []byte{0, draftIDExtension, 0, 1 + peerIDSize, peerIDSize}
	return append(head, e.id[:]...), nil
}

// Unmarshal implements extension.Extension; it is not needed.
func (draftExtension) Unmarshal([]byte) error { return nil }

// TypeValue implements extension.Extension.
func (draftExtension) TypeValue() extension.TypeValue { return draftIDExtension }
