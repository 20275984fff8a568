package deviceapp

import (
	"mbl/internal/keystore"
	"mbl/internal/keystore/tpm"
)

// automatic is the --tpm that takes the machine's TPM if it has one.
const automatic = "auto"

// store is the device's storage, to look at.
func (inv invocation) store() *keystore.File {
	if inv.tpm == "" || inv.tpm == automatic {
		return keystore.NewFile(inv.keystoreDir())
	}
	return keystore.NewFileWithTPM(inv.keystoreDir(), inv.tpm)
}

// protectedStore is the device's storage, its key in the TPM that was asked
// for. A key that a TPM has sealed already stays with it.
func (inv invocation) protectedStore() (*keystore.File, error) {
	store := inv.store()
	switch inv.tpm {
	case "":
		return store, nil
	case automatic:
		kind, _, err := store.Protection()
		if err != nil || kind == keystore.InTPM || !tpm.IsThere(tpm.Default) {
			return store, err
		}
		store = keystore.NewFileWithTPM(inv.keystoreDir(), tpm.Default)
	}
	return store, store.Protect()
}
