// Package tpm seals small secrets to a TPM 2.0: what was sealed opens on the
// machine with that TPM and nowhere else. internal/keystore protects its key
// with it.
//
// A secret is sealed under the storage root key of the owner hierarchy (TCG
// TPM v2.0 Provisioning Guidance §7.5.1), not to the state of the boot: an
// update of the system must not lock the device out (docs/decisions/0042).
package tpm

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Default is the kernel's TPM with resource manager, the one for programs.
const Default = "/dev/tpmrm0"

// Errors of Seal and Open.
var (
	// ErrUnavailable says that the TPM cannot be reached or does not work.
	ErrUnavailable = errors.New("the TPM cannot be used")
	// ErrForeign says that the box is not of this TPM, or was changed.
	ErrForeign = errors.New("the key was sealed by another TPM")
)

// persistentRoot is where a storage root key is kept, if somebody made one
// (TCG guidance §7.8). Otherwise it is derived anew each time, always the same.
const persistentRoot tpm2.TPMHandle = 0x81000001

const boxVersion = 1

// box is a sealed secret, as JSON.
type box struct {
	Version    int    `json:"version"`
	TPM        string `json:"tpm"`        // the path it was sealed with
	Persistent bool   `json:"persistent"` // under persistentRoot
	Public     []byte `json:"public"`     // TPM2B_PUBLIC
	Private    []byte `json:"private"`    // TPM2B_PRIVATE
}

// Path is that of the TPM a box was sealed with, "" if it is no box.
func Path(sealed []byte) string {
	b, err := parse(sealed)
	if err != nil {
		return ""
	}
	return b.TPM
}

func parse(sealed []byte) (*box, error) {
	b := &box{}
	if err := json.Unmarshal(sealed, b); err != nil || b.Version != boxVersion {
		return nil, fmt.Errorf("%w: not a sealed key", ErrForeign)
	}
	return b, nil
}

// Seal seals a secret of at most 128 bytes to the TPM at path, a device or the
// Unix socket of a software TPM.
func Seal(path string, secret []byte) (sealed []byte, err error) {
	err = with(path, func(t transport.TPM) error {
		root, persistent, err := findRoot(t)
		if err != nil {
			return err
		}
		defer root.flush(t)
		created, err := tpm2.Create{
			ParentHandle: root.parent(encrypting()),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
			}},
			InPublic: tpm2.New2B(tpm2.TPMTPublic{
				Type:             tpm2.TPMAlgKeyedHash,
				NameAlg:          tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true},
			}),
		}.Execute(t)
		if err != nil {
			return fmt.Errorf("%w: sealing: %w", ErrUnavailable, err)
		}
		sealed, err = json.Marshal(box{
			Version: boxVersion, TPM: path, Persistent: persistent,
			Public: tpm2.Marshal(created.OutPublic), Private: tpm2.Marshal(created.OutPrivate),
		})
		return err
	})
	return sealed, err
}

// Open returns what was sealed, with the TPM at path.
func Open(path string, sealed []byte) (secret []byte, err error) {
	b, err := parse(sealed)
	if err != nil {
		return nil, err
	}
	public, errPublic := tpm2.Unmarshal[tpm2.TPM2BPublic](b.Public)
	private, errPrivate := tpm2.Unmarshal[tpm2.TPM2BPrivate](b.Private)
	if errors.Join(errPublic, errPrivate) != nil {
		return nil, fmt.Errorf("%w: not a sealed key", ErrForeign)
	}
	err = with(path, func(t transport.TPM) error {
		root, err := rootFor(t, b.Persistent)
		if err != nil {
			return err
		}
		defer root.flush(t)
		secret, err = unseal(t, root, *public, *private)
		return err
	})
	return secret, err
}

func unseal(t transport.TPM, root *rootKey, public tpm2.TPM2BPublic, private tpm2.TPM2BPrivate) ([]byte, error) {
	loaded, err := tpm2.Load{ParentHandle: root.parent(), InPublic: public, InPrivate: private}.Execute(t)
	if err != nil {
		return nil, foreignOr(err)
	}
	defer flush(t, loaded.ObjectHandle)
	opened, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{
		Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: root.session(decrypting()),
	}}.Execute(t)
	if err != nil {
		return nil, foreignOr(err)
	}
	return opened.OutData.Buffer, nil
}

// foreignOr tells a box of another TPM from a TPM that does not work.
func foreignOr(err error) error {
	for _, code := range []tpm2.TPMRC{tpm2.TPMRCIntegrity, tpm2.TPMRCBinding, tpm2.TPMRCSize, tpm2.TPMRCValue, tpm2.TPMRCHash} {
		if errors.Is(err, code) {
			return fmt.Errorf("%w: %w", ErrForeign, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
