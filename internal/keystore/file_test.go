//go:build unix

package keystore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mbl/internal/keystore"
	"mbl/internal/keystore/keystoretest"
)

func TestFile(t *testing.T) {
	keystoretest.Run(t, func(t *testing.T) func() keystore.Store {
		dir := filepath.Join(t.TempDir(), "keystore")
		return func() keystore.Store { return keystore.NewFile(dir) }
	})
}

func TestOnlyItsOwnerCanReadTheStorage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "keystore")
	defer syscall.Umask(syscall.Umask(0))
	put(t, dir, "secret", "the private key")
	err := filepath.WalkDir(filepath.Dir(dir), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if entry.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte("the private key")) {
			t.Errorf("%s shows the item", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadingMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keystore")
	if _, err := keystore.NewFile(dir).List(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made %s", dir)
	}
}

func TestADamagedItemIsNamedAndCanBeReplaced(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "good", "1")
	put(t, dir, "bad", "2")
	path := filepath.Join(dir, "items.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// An item under another item's name is not accepted either.
	moved := bytes.Replace(text, []byte(`"bad"`), []byte(`"moved"`), 1)
	if err := os.WriteFile(path, moved, 0o600); err != nil {
		t.Fatal(err)
	}
	store := keystore.NewFile(dir)
	_, err = store.Get("moved")
	if !errors.Is(err, keystore.ErrDamaged) || !strings.Contains(err.Error(), "moved") {
		t.Errorf("Get = %v, want ErrDamaged with the item's name", err)
	}
	if got, err := store.Get("good"); err != nil || string(got) != "1" {
		t.Errorf("the item beside it: %q, %v", got, err)
	}
	put(t, dir, "moved", "3")
	if got, err := store.Get("moved"); err != nil || string(got) != "3" {
		t.Errorf("after replacing it: %q, %v", got, err)
	}
}

func TestItemsOfAnotherDeviceAreRefused(t *testing.T) {
	ours, theirs := t.TempDir(), t.TempDir()
	put(t, ours, "item", "ours")
	put(t, theirs, "item", "theirs")
	foreign, err := os.ReadFile(filepath.Join(theirs, "items.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(ours, "items.json"), foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := keystore.NewFile(ours).Get("item"); !errors.Is(err, keystore.ErrDamaged) {
		t.Errorf("Get = %q, %v, want ErrDamaged", got, err)
	}
}

func TestALostKeyIsDamage(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "item", "1")
	if err := os.Remove(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	if _, err := keystore.NewFile(dir).Get("item"); !errors.Is(err, keystore.ErrDamaged) {
		t.Errorf("Get = %v, want ErrDamaged", err)
	}
}

func TestStrangeThingsInTheFolderDoNotHurt(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	huge := bytes.Repeat([]byte(" "), 5<<20)
	things := map[string]func(path string) error{
		"link":    func(path string) error { return os.Symlink(outside, path) },
		"folder":  func(path string) error { return os.MkdirAll(filepath.Join(path, "child"), 0o755) },
		"pipe":    func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"huge":    func(path string) error { return os.WriteFile(path, huge, 0o600) },
		"garbage": func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"future":  func(path string) error { return os.WriteFile(path, []byte(`{"version":2}`), 0o600) },
		"empty":   func(path string) error { return os.WriteFile(path, nil, 0o600) },
	}
	for _, name := range []string{"items.json", "key"} {
		for thing, place := range things {
			t.Run(name+" is "+thing, func(t *testing.T) {
				dir := t.TempDir()
				put(t, dir, "item", "1")
				path := filepath.Join(dir, name)
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if err := place(path); err != nil {
					t.Fatal(err)
				}
				before, err := os.Lstat(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(outside, []byte("untouched"), 0o600); err != nil {
					t.Fatal(err)
				}
				store := keystore.NewFile(dir)
				if _, err := store.Get("item"); !errors.Is(err, keystore.ErrDamaged) {
					t.Errorf("Get = %v, want ErrDamaged", err)
				}
				if err := store.Put("item", []byte("2")); !errors.Is(err, keystore.ErrDamaged) {
					t.Errorf("Put = %v, want ErrDamaged", err)
				}
				if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
					t.Errorf("it was replaced: %v", err)
				}
				if got, err := os.ReadFile(outside); err != nil || string(got) != "untouched" {
					t.Errorf("the link's target: %q, %v", got, err)
				}
			})
		}
	}
}

func TestALockThatIsALinkIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(t.TempDir(), "made")
	if err := os.Symlink(target, filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if err := keystore.NewFile(dir).Put("item", nil); err == nil {
		t.Error("Put followed the link")
	}
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		t.Error("the link's target was made")
	}
}

func TestLeftoversOfAKilledWriterAreRemoved(t *testing.T) {
	dir := t.TempDir()
	leftover := filepath.Join(dir, ".items.json.tmp-123")
	if err := os.WriteFile(leftover, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "item", "1")
	if _, err := os.Lstat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Error("it is still there")
	}
}

func put(t *testing.T, dir, name, data string) {
	t.Helper()
	if err := keystore.NewFile(dir).Put(name, []byte(data)); err != nil {
		t.Fatal(err)
	}
}
