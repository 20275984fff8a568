// Package keystore is the device's secure storage: small named items such as
// "mbed.BootstrapDevicePrivateKey", encrypted and authenticated at rest,
// changed all or nothing.
//
// It knows nothing about what the items mean; internal/device does and is its
// only caller. File keeps the items in one file of a folder, and their key
// beside it or sealed to a TPM; every implementation passes keystoretest.Run.
package keystore

import (
	"errors"
	"fmt"
)

// Limits every implementation keeps.
const (
	MaxName = 100       // characters of an item's name, as in the original's storage
	MaxData = 64 * 1024 // bytes of an item
)

// Errors of a Store. They come wrapped in a text that names the item.
var (
	// ErrNotFound says that there is no such item.
	ErrNotFound = errors.New("no such item")
	// ErrDamaged says that the item, or the whole storage, is not what was
	// stored: changed, cut off, or sealed on another device.
	ErrDamaged = errors.New("the stored data is damaged or was stored by another device")
	// ErrConflict says that a Change's condition did not hold; nothing changed.
	ErrConflict = errors.New("the storage was changed meanwhile")
	// ErrTPM says that the TPM that seals the items' key cannot be used. It may
	// be only at the moment.
	ErrTPM = errors.New("the TPM that seals the storage's key cannot be used")
	// ErrInvalid says that a name or an item's size is outside the limits.
	ErrInvalid = errors.New("not a valid item")
)

// Store holds the items. It is safe for concurrent use, by several processes
// too. An error leaves everything as it was.
type Store interface {
	// Get returns an item, or ErrNotFound or ErrDamaged.
	Get(name string) ([]byte, error)
	// Put stores one item over whatever was there, damaged or not.
	Put(name string, data []byte) error
	// Delete removes an item. Removing what is not there is no error.
	Delete(name string) error
	// List returns the names of all items, sorted, damaged ones included.
	List() ([]string, error)
	// Replace makes all of a change or nothing of it, even if the power fails
	// half-way. It returns ErrConflict when the change's condition does not
	// hold.
	Replace(change Change) error
}

// Change is a set of changes that belong together.
type Change struct {
	// If names items that must hold exactly this when the change is made; nil
	// means that the item must be absent.
	If     map[string][]byte
	Delete []string
	Put    map[string][]byte // wins over Delete
}

// Check returns ErrInvalid for a name or data outside the limits.
func (c Change) Check() error {
	for name, data := range c.Put {
		if err := CheckName(name); err != nil {
			return err
		}
		if len(data) > MaxData {
			return fmt.Errorf("cannot store item %s: %w: %d bytes, at most %d", name, ErrInvalid, len(data), MaxData)
		}
	}
	return nil
}

// CheckName returns ErrInvalid unless name is 1 to MaxName printable ASCII
// characters.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("cannot use item name %.20q: %w: 1 to %d characters", name, ErrInvalid, MaxName)
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("cannot use item name %q: %w: printable characters only", name, ErrInvalid)
		}
	}
	return nil
}
