// Package sealed encrypts and authenticates small secrets at rest with
// AES-256-GCM (NIST SP 800-38D). The service seals developers' private keys
// with it, the device its secure storage.
//
// Layout of a box: 1 byte version (1), 12 bytes random nonce, ciphertext,
// 16 bytes tag. The version is authenticated together with the label.
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
)

// KeySize is the size of a key in bytes.
const KeySize = 32

const version = 1

// ErrOpen says that a box was not sealed with this key and label, or was
// changed since.
var ErrOpen = errors.New("the sealed data is damaged or was sealed with another key")

// Key seals and opens boxes.
type Key struct{ aead cipher.AEAD }

// NewKey makes a Key from KeySize bytes; any other number is an error.
func NewKey(raw []byte) (*Key, error) {
	if len(raw) != KeySize {
		return nil, errors.New("a sealing key has 32 bytes")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Key{aead: aead}, nil
}

// Generate makes the bytes of a new key.
func Generate() []byte {
	raw := make([]byte, KeySize)
	rand.Read(raw) // never fails: crypto/rand aborts the program instead
	return raw
}

// Seal encrypts plain. The label says what the box is (an item's name, a
// row's id) and must be given again to open it, so boxes cannot be swapped.
func (k *Key) Seal(plain []byte, label string) []byte {
	return k.aead.Seal([]byte{version}, nil, plain, authenticated(label))
}

// Open decrypts a box, or returns ErrOpen.
func (k *Key) Open(box []byte, label string) ([]byte, error) {
	if len(box) == 0 || box[0] != version {
		return nil, ErrOpen
	}
	plain, err := k.aead.Open(nil, nil, box[1:], authenticated(label))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

func authenticated(label string) []byte { return append([]byte{version}, label...) }
