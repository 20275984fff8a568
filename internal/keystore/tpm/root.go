package tpm

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// rootKey is the storage root key, loaded.
type rootKey struct {
	handle    tpm2.TPMHandle
	name      tpm2.TPM2BName
	public    tpm2.TPMTPublic
	transient bool
}

// findRoot takes the persistent storage root key if there is one.
func findRoot(t transport.TPM) (root *rootKey, persistent bool, err error) {
	root, err = rootFor(t, true)
	if err == nil {
		return root, true, nil
	}
	root, err = rootFor(t, false)
	return root, false, err
}

func rootFor(t transport.TPM, persistent bool) (*rootKey, error) {
	if persistent {
		return persistentKey(t)
	}
	made, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHOwner,
		InPublic:      tpm2.New2B(tpm2.ECCSRKTemplate),
	}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("%w: its storage root key: %w", ErrUnavailable, err)
	}
	public, err := made.OutPublic.Contents()
	if err != nil {
		flush(t, made.ObjectHandle)
		return nil, fmt.Errorf("%w: its storage root key: %w", ErrUnavailable, err)
	}
	return &rootKey{made.ObjectHandle, made.Name, *public, true}, nil
}

func persistentKey(t transport.TPM) (*rootKey, error) {
	read, err := tpm2.ReadPublic{ObjectHandle: persistentRoot}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil, fmt.Errorf("%w: it has no persistent storage root key", ErrForeign)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: its storage root key: %w", ErrUnavailable, err)
	}
	public, err := read.OutPublic.Contents()
	if err != nil {
		return nil, fmt.Errorf("%w: its storage root key: %w", ErrUnavailable, err)
	}
	return &rootKey{persistentRoot, read.Name, *public, false}, nil
}

// parent authorises the use of the key, whose password is empty.
func (r *rootKey) parent(more ...tpm2.AuthOption) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: r.handle, Name: r.name, Auth: r.session(more...)}
}

// session is for one command. It is salted with the root key, so that whoever
// listens on the TPM's bus learns nothing of what encrypting() protects.
func (r *rootKey) session(more ...tpm2.AuthOption) tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, append(more, tpm2.Salted(r.handle, r.public))...)
}

// encrypting protects the first parameter of a command.
func encrypting() tpm2.AuthOption { return tpm2.AESEncryption(128, tpm2.EncryptIn) }

// decrypting protects the first parameter of the TPM's answer.
func decrypting() tpm2.AuthOption { return tpm2.AESEncryption(128, tpm2.EncryptOut) }

func (r *rootKey) flush(t transport.TPM) {
	if r.transient {
		flush(t, r.handle)
	}
}

// flush frees a place in the TPM. Resource managers do that too when the
// connection ends.
func flush(t transport.TPM, handle tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: handle}.Execute(t)
}
