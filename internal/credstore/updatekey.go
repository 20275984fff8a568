package credstore

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mbl/internal/pki"
)

const updateKeyFolder = "update-keys"

// UpdateKeyFile is where the private key of the update certificate lies, as
// PKCS#8 PEM. It is in the user store alone: a device that gets it, or a
// colleague, could sign firmware.
func (u *UserStore) UpdateKeyFile(name string) string {
	return filepath.Join(u.dir, updateKeyFolder, name+".pem")
}

// HasUpdateKey tells whether this person holds the private key of the update
// certificate.
func (u *UserStore) HasUpdateKey(name string) bool {
	if CheckName(name) != nil {
		return false
	}
	info, err := os.Lstat(u.UpdateKeyFile(name))
	return err == nil && info.Mode().IsRegular()
}

// saveUpdateKey keeps a private key that must not be there yet.
func (u *UserStore) saveUpdateKey(ctx context.Context, name string, key *ecdsa.PrivateKey) error {
	der, err := pki.MarshalPKCS8(key)
	if err != nil {
		return err
	}
	if err := u.close(); err != nil {
		return err
	}
	return locked(ctx, u.dir, func() error {
		if err := makeFolder(filepath.Join(u.dir, updateKeyFolder), userFolderMode); err != nil {
			return err
		}
		return u.writeUpdateKey(name, []byte(pki.PrivateKeyPEM(der)))
	})
}

func (u *UserStore) writeUpdateKey(name string, pem []byte) error {
	root, err := os.OpenRoot(filepath.Join(u.dir, updateKeyFolder))
	if err != nil {
		return err
	}
	defer root.Close()
	file := filepath.Base(u.UpdateKeyFile(name))
	err = writeNew(root, file, pem, secretMode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("the private key %s: %w", u.UpdateKeyFile(name), ErrExists)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(root, file))
	}
	return nil
}

func (u *UserStore) deleteUpdateKey(name string) error {
	return os.Remove(u.UpdateKeyFile(name))
}

func removeIfThere(root *os.Root, name string) error {
	err := root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// close takes other people's rights to the folder away before a secret goes
// in.
func (u *UserStore) close() error {
	info, err := os.Stat(u.dir)
	if err != nil {
		return fmt.Errorf("cannot open the user store: %w", err)
	}
	if info.Mode().Perm() == userFolderMode {
		return nil
	}
	if err := os.Chmod(u.dir, userFolderMode); err != nil {
		return fmt.Errorf("cannot close the user store to others: %w", err)
	}
	return nil
}
