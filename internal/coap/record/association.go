package record

import (
	"encoding/binary"
	"errors"
	"slices"
)

// A DTLS record on the wire (RFC 6347 §4.1): type, version, epoch, number, in a
// record of type withID the receiver's connection id (RFC 9146 §4), and length.
const (
	headerSize  = 13
	idAt        = 11
	dtlsVersion = 0xFEFD // 1.2

	// epoch is that of everything after a handshake. There is no second one.
	epoch      = 1
	lastNumber = 1<<48 - 1
)

// Errors of reading a record of a datagram.
var (
	// ErrReplayed: the record came before, or is too old to tell.
	ErrReplayed = errors.New("record came before")
	// ErrUnexpected: the record is not one of this association.
	ErrUnexpected = errors.New("record of another association or epoch")
)

// Association is one side of a DTLS 1.2 association whose handshake is done.
// One goroutine at a time may use it.
type Association struct {
	protection protection
	ownID      []byte // on the peer's records; nil: they have none
	peerID     []byte // on ours; empty: they have none
	draft      bool   // the ids are authenticated as the draft has it
	next       uint64 // the number of our next record
	seen       window
}

// protection encrypts and decrypts: AEAD or CBC.
type protection interface {
	// sealRecord returns the record with a header, which has connection id and
	// length 0 where it has them, and a content.
	sealRecord(h header, content []byte) ([]byte, error)
	// openRecord returns a record's content, which the record's memory may hold.
	openRecord(h header, body []byte) ([]byte, error)
}

// IDs are the connection ids that a handshake agreed on (RFC 9146 §3). Suites with
// an AEAD alone have them.
type IDs struct {
	Own  []byte // the peer puts it on its records; nil: not agreed on
	Peer []byte // we put it on ours; empty: none
	// Draft says that they are those of draft-ietf-tls-dtls-connection-id-05,
	// which authenticates records in its own way.
	Draft bool
}

// NewAssociation takes over from a handshake. next is above the number of every
// record that was sent in epoch 1, all of which must have been sent.
func NewAssociation(s Secrets, ids IDs, next uint64) (*Association, error) {
	a := &Association{ownID: slices.Clone(ids.Own), peerID: slices.Clone(ids.Peer), draft: ids.Draft, next: next}
	if ids.Own == nil {
		a.peerID = nil
	}
	var err error
	if s.Suite.UsesCBC() {
		if ids.Own != nil {
			return nil, errors.New("no connection ids with CBC")
		}
		a.protection, err = newCBC(s)
	} else {
		a.protection, err = newKeys(s)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Seal makes the record of a content. It returns ErrExhausted when there is no
// number left for it.
func (a *Association) Seal(kind Kind, content []byte) ([]byte, error) {
	if a.next > lastNumber {
		return nil, ErrExhausted
	}
	h := header{kind: kind, version: dtlsVersion, epoch: epoch, number: a.next, draft: a.draft}
	a.next++
	if len(a.peerID) > 0 { // DTLSInnerPlaintext (RFC 9146 §4), without padding
		h.kind, h.id = withID, a.peerID
		content = append(append(make([]byte, 0, len(content)+1), content...), byte(kind))
	}
	return a.protection.sealRecord(h, content)
}

// Content is what a record held.
type Content struct {
	Kind   Kind
	Data   []byte
	Newest bool // of all that have been seen
}

// Open reads a record that Cut has cut. A replayed or forged one, or one of
// another epoch, is an error that means nothing: anybody can send such. A record
// counts as seen once it has been opened, unless it is of a handshake: peers
// that repeat their last one do so with its number.
func (a *Association) Open(r Record) (Content, error) {
	h := r.header
	h.draft = a.draft
	// The library takes a ChangeCipherSpec for authentic, which nothing is here.
	if h.version != dtlsVersion || h.epoch != epoch || h.kind == ChangeCipherSpec || (h.kind == withID) != (a.ownID != nil) || !slices.Equal(h.id, a.ownID) {
		return Content{}, ErrUnexpected
	}
	if !a.seen.isNew(h.number) {
		return Content{}, ErrReplayed
	}
	data, err := a.protection.openRecord(h, r.body)
	if err != nil {
		return Content{}, err
	}
	kind := h.kind
	if kind == withID {
		if kind, data, err = innerContent(data); err != nil {
			return Content{}, err
		}
	}
	content := Content{Kind: kind, Data: data}
	if kind != Handshake {
		content.Newest = a.seen.see(h.number)
	}
	return content, nil
}

// innerContent takes a DTLSInnerPlaintext apart: content, its type, zeros.
func innerContent(inner []byte) (Kind, []byte, error) {
	for i := len(inner) - 1; i >= 0; i-- {
		if inner[i] != 0 {
			return Kind(inner[i]), inner[:i], nil
		}
	}
	return 0, nil, ErrForged
}

// Record is one of a datagram's records, not yet decrypted.
type Record struct {
	header header
	body   []byte
}

type header struct {
	kind    Kind
	version uint16
	epoch   uint16
	number  uint64
	id      []byte
	draft   bool
}

// Cut takes the first record off a datagram. Connection ids of the receiver are
// all of one size: the wire does not say which. ok is false when there is no
// whole record.
func Cut(datagram []byte, idSize int) (r Record, rest []byte, ok bool) {
	if len(datagram) < headerSize {
		return Record{}, nil, false
	}
	r.header = header{
		kind:    Kind(datagram[0]),
		version: binary.BigEndian.Uint16(datagram[1:]),
		epoch:   binary.BigEndian.Uint16(datagram[3:]),
		number:  binary.BigEndian.Uint64(datagram[3:]) & lastNumber,
	}
	at := idAt
	if r.header.kind == withID {
		at += idSize
		if len(datagram) < at+2 {
			return Record{}, nil, false
		}
		r.header.id = datagram[idAt:at]
	}
	length := int(binary.BigEndian.Uint16(datagram[at:]))
	rest = datagram[at+2:]
	if length > len(rest) {
		return Record{}, nil, false
	}
	r.body = rest[:length]
	return r, rest[length:], true
}

// Epoch is the record's epoch: 0 before anything is encrypted.
func (r Record) Epoch() uint16 { return r.header.epoch }

// HasID tells whether the record has a connection id.
func (r Record) HasID() bool { return r.header.kind == withID }

// Clone is the record in memory of its own.
func (r Record) Clone() Record {
	r.header.id, r.body = slices.Clone(r.header.id), slices.Clone(r.body)
	return r
}

// Number is the record's number within its epoch.
func (r Record) Number() uint64 { return r.header.number }

// append writes the header with a length.
func (h header) append(to []byte, length int) []byte {
	to = append(to, byte(h.kind))
	to = binary.BigEndian.AppendUint16(to, h.version)
	to = binary.BigEndian.AppendUint64(to, h.place())
	to = append(to, h.id...)
	return binary.BigEndian.AppendUint16(to, uint16(length))
}

// place is epoch and number, which no two records of a sender share.
func (h header) place() uint64 { return uint64(h.epoch)<<48 | h.number }

// additional is what is authenticated besides the content (RFC 5246 §6.2.3.3;
// with a connection id RFC 9146 §5.3, or §5 of the draft). length is the
// content's.
func (h header) additional(length int) []byte {
	data := make([]byte, 0, 64)
	if h.kind == withID && !h.draft {
		data = binary.BigEndian.AppendUint64(data, 1<<64-1)
		data = append(data, byte(withID), byte(len(h.id)), byte(withID))
		data = binary.BigEndian.AppendUint16(data, h.version)
		data = binary.BigEndian.AppendUint64(data, h.place())
		data = append(data, h.id...)
		return binary.BigEndian.AppendUint16(data, uint16(length))
	}
	data = binary.BigEndian.AppendUint64(data, h.place())
	data = append(data, byte(h.kind))
	data = binary.BigEndian.AppendUint16(data, h.version)
	if h.kind == withID {
		data = append(append(data, h.id...), byte(len(h.id)))
	}
	return binary.BigEndian.AppendUint16(data, uint16(length))
}

// sealRecord uses epoch and number as the explicit part of the nonce (RFC 9325
// §7.2.1), so that it is a new one for each record.
func (k *keys) sealRecord(h header, content []byte) ([]byte, error) {
	record := make([]byte, 0, headerSize+len(h.id)+len(content)+k.overhead())
	record = h.append(record, len(content)+k.overhead())
	return k.seal(record, h.place(), h.additional(len(content)), content)
}

func (k *keys) openRecord(h header, body []byte) ([]byte, error) {
	return k.open(h.additional(len(body)-k.overhead()), body)
}
