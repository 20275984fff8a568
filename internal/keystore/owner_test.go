//go:build unix

package keystore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"mbl/internal/keystore"
)

// The service of a device has a user of its own; root provisions.
func TestWhatRootStoresBelongsToTheFoldersOwner(t *testing.T) {
	const service = 61234
	state := t.TempDir()
	owner := os.Getuid()
	if owner == 0 {
		owner = service
		must(t, os.Chown(state, service, service))
	}
	must(t, keystore.NewFile(filepath.Join(state, "keystore")).Put("a", []byte("secret")))
	must(t, filepath.WalkDir(state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != owner {
			t.Errorf("%s belongs to user %d, want %d", path, uid, owner)
		}
		if path != state && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
}

func TestAFolderThatIsALinkIsRefused(t *testing.T) {
	elsewhere, state := t.TempDir(), t.TempDir()
	must(t, os.Chmod(elsewhere, 0o755))
	must(t, os.Symlink(elsewhere, filepath.Join(state, "keystore")))
	if err := keystore.NewFile(filepath.Join(state, "keystore")).Put("a", nil); err == nil {
		t.Error("it was followed")
	}
	if info, err := os.Stat(elsewhere); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("what it points to was changed: %v, %v", info.Mode(), err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
