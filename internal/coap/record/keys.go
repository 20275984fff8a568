package record

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"weak"

	"github.com/pion/dtls/v3/pkg/crypto/ccm"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
)

const (
	keySize      = 16
	saltSize     = 4 // the part of a nonce that is not sent
	explicitSize = 8 // the part that is
	nonceSize    = saltSize + explicitSize
	macSize      = sha256.Size
)

// Errors of reading records.
var (
	// ErrForged: the record is not the peer's, or was damaged.
	ErrForged = errors.New("record is not authentic")
	// ErrExhausted: there are no numbers left for records. The connection has
	// to end, since a number used twice gives away what both records hold.
	ErrExhausted = errors.New("record numbers are used up")
)

// Secrets are what a handshake has agreed on.
type Secrets struct {
	Suite                      Suite
	Master                     []byte // RFC 5246 §8.1
	ClientRandom, ServerRandom []byte // 32 bytes each
	Client                     bool   // we are the client
}

// keys protect both directions with an AEAD (RFC 5246 §6.2.3.3).
type keys struct {
	suite       Suite
	ours, peers direction
}

// direction is one of them. Its cipher is fifty times as large as its key and
// made anew when it is needed; the garbage collector takes it away.
type direction struct {
	key    [keySize]byte
	salt   [saltSize]byte
	cipher weak.Pointer[madeCipher]
}

type madeCipher struct{ cipher.AEAD }

func newKeys(s Secrets) (*keys, error) {
	if s.Suite.tagSize() == 0 {
		return nil, fmt.Errorf("no keys for the suite %#04x", uint16(s.Suite))
	}
	made, err := expand(s, 0, saltSize)
	if err != nil {
		return nil, err
	}
	k := &keys{suite: s.Suite}
	copy(k.ours.key[:], made.ServerWriteKey)
	copy(k.ours.salt[:], made.ServerWriteIV)
	copy(k.peers.key[:], made.ClientWriteKey)
	copy(k.peers.salt[:], made.ClientWriteIV)
	if s.Client {
		k.ours, k.peers = k.peers, k.ours
	}
	return k, nil
}

// expand derives the key block (RFC 5246 §6.3).
func expand(s Secrets, macSize, ivSize int) (*prf.EncryptionKeys, error) {
	if len(s.Master) == 0 || len(s.ClientRandom) == 0 || len(s.ServerRandom) == 0 {
		return nil, errors.New("the handshake left no secrets")
	}
	return prf.GenerateEncryptionKeys(s.Master, s.ClientRandom, s.ServerRandom, macSize, keySize, ivSize, sha256.New)
}

// overhead is by how much a protected record's body is longer than what it
// holds.
func (k *keys) overhead() int { return explicitSize + k.suite.tagSize() }

// seal appends a record's body: the explicit part of the nonce, and what is
// encrypted. No two records may have the same explicit part.
func (k *keys) seal(to []byte, explicit uint64, additional, content []byte) ([]byte, error) {
	aead, err := k.cipher(&k.ours)
	if err != nil {
		return nil, err
	}
	to = binary.BigEndian.AppendUint64(to, explicit)
	return aead.Seal(to, k.ours.nonce(explicit), content, additional), nil
}

// open returns what a record's body holds. The result is not in its memory.
func (k *keys) open(additional, body []byte) ([]byte, error) {
	if len(body) < k.overhead() {
		return nil, ErrForged
	}
	aead, err := k.cipher(&k.peers)
	if err != nil {
		return nil, err
	}
	content, err := aead.Open(nil, k.peers.nonce(binary.BigEndian.Uint64(body)), body[explicitSize:], additional)
	if err != nil {
		return nil, ErrForged
	}
	return content, nil
}

func (k *keys) cipher(d *direction) (cipher.AEAD, error) {
	if made := d.cipher.Value(); made != nil {
		return made, nil
	}
	aead, err := k.makeCipher(d.key[:])
	if err != nil {
		return nil, err
	}
	made := &madeCipher{aead}
	d.cipher = weak.Make(made)
	return made, nil
}

func (k *keys) makeCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if k.suite.usesGCM() {
		return cipher.NewGCM(block)
	}
	return ccm.NewCCM(block, k.suite.tagSize(), nonceSize)
}

func (d *direction) nonce(explicit uint64) []byte {
	nonce := make([]byte, 0, nonceSize)
	nonce = append(nonce, d.salt[:]...)
	return binary.BigEndian.AppendUint64(nonce, explicit)
}
