package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mbl/internal/atomicfile"
	"mbl/internal/keystore/tpm"
	"mbl/internal/sealed"
)

const (
	keyName       = "key"     // the key itself
	sealedKeyName = "key.tpm" // the key, sealed to a TPM; if there is one, the other does not count

	maxSealedKey = 8 << 10
)

// Protection is how the key that seals the items is kept.
type Protection string

// The kinds of protection.
const (
	Unprotected Protection = "none" // there is no key yet
	InFile      Protection = "file" // readable by whoever may read the folder
	InTPM       Protection = "tpm"  // usable on this machine only
)

// Protection tells how the key is kept, and where the TPM is that holds it.
func (f *File) Protection() (kind Protection, tpmPath string, err error) {
	box, err := readRegular(filepath.Join(f.dir, sealedKeyName), maxSealedKey)
	if err == nil {
		return InTPM, f.tpmFor(box), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Unprotected, "", err
	}
	_, err = os.Lstat(filepath.Join(f.dir, keyName))
	if errors.Is(err, fs.ErrNotExist) {
		return Unprotected, "", nil
	}
	return InFile, "", err
}

// CheckKey tells whether the key can be used: ErrTPM, ErrDamaged, or an error
// of the file system.
func (f *File) CheckKey() error {
	_, err := f.loadKey()
	return err
}

// Protect seals the key to the store's TPM, or makes one there, and destroys
// the copy in the file. Items and their seals stay as they are. Done twice, it
// checks that the TPM still opens the key.
func (f *File) Protect() error {
	if err := f.protect(); err != nil {
		return fmt.Errorf("cannot protect the stored items: %w", err)
	}
	return nil
}

func (f *File) protect() error {
	if f.tpm == "" {
		return errors.New("no TPM was named")
	}
	if err := f.makeDir(); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(f.dir, lockName))
	if err != nil {
		return err
	}
	defer unlock()
	plain := filepath.Join(f.dir, keyName)
	raw, err := readRegular(plain, sealed.KeySize)
	_, sealedErr := os.Lstat(filepath.Join(f.dir, sealedKeyName))
	switch {
	case sealedErr == nil, errors.Is(err, fs.ErrNotExist):
		_, err = f.loadOrMakeKey()
	case err == nil:
		err = f.sealKey(raw)
	}
	if err != nil {
		return err
	}
	return destroy(plain)
}

// sealKey writes the sealed key, after making sure that it opens.
func (f *File) sealKey(raw []byte) error {
	box, err := tpm.Seal(f.tpm, raw)
	if err != nil {
		return f.explain(f.tpm, err)
	}
	opened, err := tpm.Open(f.tpm, box)
	if err != nil {
		return f.explain(f.tpm, err)
	}
	if !bytes.Equal(opened, raw) {
		return fmt.Errorf("%w: it gives back something else than it was given", ErrTPM)
	}
	return atomicfile.WriteForFolder(filepath.Join(f.dir, sealedKeyName), box, 0o600)
}

// destroy overwrites a file and removes it. Flash memory may keep the old
// bytes all the same.
func destroy(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, sealed.KeySize))
	return errors.Join(err, file.Sync(), file.Close(), os.Remove(path))
}

// loadKey returns fs.ErrNotExist if there is no key. Another process may be
// moving it into the TPM, so a file that is not there is looked for twice.
func (f *File) loadKey() (*sealed.Key, error) {
	key, err := f.loadSealedKey()
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key, err = f.loadPlainKey()
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	return f.loadSealedKey()
}

func (f *File) loadPlainKey() (*sealed.Key, error) {
	raw, err := readRegular(filepath.Join(f.dir, keyName), sealed.KeySize)
	if err != nil {
		return nil, err
	}
	key, err := sealed.NewKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(f.dir, keyName), ErrDamaged)
	}
	return key, nil
}

// loadSealedKey has the TPM open the key once: TPMs are slow.
func (f *File) loadSealedKey() (*sealed.Key, error) {
	box, err := readRegular(filepath.Join(f.dir, sealedKeyName), maxSealedKey)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.opened != nil && bytes.Equal(box, f.box) {
		return f.opened, nil
	}
	path := f.tpmFor(box)
	raw, err := tpm.Open(path, box)
	if err != nil {
		return nil, f.explain(path, err)
	}
	key, err := sealed.NewKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(f.dir, sealedKeyName), ErrDamaged)
	}
	f.box, f.opened = box, key
	return key, nil
}

// tpmFor is the TPM that was named, else the one that sealed the key.
func (f *File) tpmFor(box []byte) string {
	if f.tpm != "" {
		return f.tpm
	}
	return tpm.Path(box)
}

func (f *File) explain(path string, err error) error {
	if errors.Is(err, tpm.ErrForeign) {
		return fmt.Errorf("%s does not open with the TPM at %s: %w", filepath.Join(f.dir, sealedKeyName), path, ErrDamaged)
	}
	return fmt.Errorf("%w: %s: %w", ErrTPM, path, err)
}

// loadOrMakeKey is called with the lock held, so no two processes make a key.
func (f *File) loadOrMakeKey() (*sealed.Key, error) {
	key, err := f.loadKey()
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	raw := sealed.Generate()
	if f.tpm != "" {
		err = f.sealKey(raw)
	} else {
		err = atomicfile.WriteForFolder(filepath.Join(f.dir, keyName), raw, 0o600)
	}
	if err != nil {
		return nil, err
	}
	return sealed.NewKey(raw)
}
