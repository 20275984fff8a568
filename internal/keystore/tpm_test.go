//go:build unix

package keystore_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/keystore"
	"mbl/internal/keystore/keystoretest"
	"mbl/internal/keystore/tpmtest"
)

func TestFileWithTPM(t *testing.T) {
	socket := tpmtest.Start(t)
	keystoretest.Run(t, func(t *testing.T) func() keystore.Store {
		dir := filepath.Join(t.TempDir(), "keystore")
		return func() keystore.Store { return keystore.NewFileWithTPM(dir, socket) }
	})
}

// plainStore is a store whose key lies in a file.
func plainStore(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "keystore")
	must(t, keystore.NewFile(dir).Put("a", []byte("secret")))
	wantProtection(t, dir, keystore.InFile, "")
	return dir
}

func wantProtection(t *testing.T, dir string, want keystore.Protection, path string) {
	t.Helper()
	kind, at, err := keystore.NewFile(dir).Protection()
	if kind != want || at != path || err != nil {
		t.Errorf("protection %q at %q, %v; want %q at %q", kind, at, err, want, path)
	}
}

func wantSecret(t *testing.T, store keystore.Store) {
	t.Helper()
	if got, err := store.Get("a"); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAKeyMovesIntoTheTPM(t *testing.T) {
	dir, socket := plainStore(t), tpmtest.Start(t)
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	must(t, err)
	open := keystore.NewFile(dir) // a running device
	for range 2 {
		must(t, keystore.NewFileWithTPM(dir, socket).Protect())
		wantProtection(t, dir, keystore.InTPM, socket)
		wantSecret(t, keystore.NewFile(dir))
		wantSecret(t, open)
	}
	must(t, open.Put("b", []byte("more")))
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, key) {
			t.Errorf("the key still lies in %s", path)
		}
		return err
	}))
	if _, err := os.Lstat(filepath.Join(dir, "key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key's file: %v", err)
	}
}

func TestAKeyIsMadeInTheTPM(t *testing.T) {
	dir, socket := filepath.Join(t.TempDir(), "keystore"), tpmtest.Start(t)
	wantProtection(t, dir, keystore.Unprotected, "")
	must(t, keystore.NewFileWithTPM(dir, socket).Protect())
	wantProtection(t, dir, keystore.InTPM, socket)
	must(t, keystore.NewFile(dir).Put("a", []byte("secret"))) // the provisioning util
	wantSecret(t, keystore.NewFileWithTPM(dir, socket))
}

func TestAMoveCutShortIsFinished(t *testing.T) {
	dir, socket := plainStore(t), tpmtest.Start(t)
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	must(t, err)
	must(t, keystore.NewFileWithTPM(dir, socket).Protect())
	must(t, os.WriteFile(filepath.Join(dir, "key"), key, 0o600)) // the power failed before it was destroyed
	wantProtection(t, dir, keystore.InTPM, socket)
	wantSecret(t, keystore.NewFile(dir))
	must(t, keystore.NewFileWithTPM(dir, socket).Protect())
	if _, err := os.Lstat(filepath.Join(dir, "key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key's file: %v", err)
	}
}

func TestWithoutItsTPMTheStorageSaysSo(t *testing.T) {
	dir, socket := plainStore(t), tpmtest.Start(t)
	must(t, keystore.NewFileWithTPM(dir, socket).Protect())
	tpmtest.Stop(t, socket)
	store := keystore.NewFile(dir)
	if _, err := store.Get("a"); !errors.Is(err, keystore.ErrTPM) || !strings.Contains(err.Error(), socket) {
		t.Errorf("Get: %v", err)
	}
	if err := store.Put("a", nil); !errors.Is(err, keystore.ErrTPM) {
		t.Errorf("Put: %v", err)
	}
	wantProtection(t, dir, keystore.InTPM, socket)
}

func TestOnAnotherMachineTheStorageDoesNotOpen(t *testing.T) {
	dir := plainStore(t)
	must(t, keystore.NewFileWithTPM(dir, tpmtest.Start(t)).Protect())
	if _, err := keystore.NewFileWithTPM(dir, tpmtest.Start(t)).Get("a"); !errors.Is(err, keystore.ErrDamaged) {
		t.Errorf("Get: %v", err)
	}
}

func TestATPMThatFailsLeavesTheKeyWhereItIs(t *testing.T) {
	dir := plainStore(t)
	if err := keystore.NewFileWithTPM(dir, filepath.Join(dir, "no-tpm")).Protect(); !errors.Is(err, keystore.ErrTPM) {
		t.Errorf("Protect: %v", err)
	}
	wantProtection(t, dir, keystore.InFile, "")
	wantSecret(t, keystore.NewFile(dir))
}
