//go:build unix

package credstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"mbl/internal/credstore"
)

func TestFirstUseMakesTheStoresWithTheirRights(t *testing.T) {
	for _, umask := range []int{0o000, 0o022, 0o077} {
		home := t.TempDir()
		old := syscall.Umask(umask)
		stores := open(t, home)
		syscall.Umask(old)

		places := readJSON(t, filepath.Join(home, ".mbl-stores.json"))
		user, team := filepath.Join(home, ".mbl-store/user"), filepath.Join(home, ".mbl-store/team")
		if places["user"] != user || places["team"] != team || len(places) != 2 {
			t.Errorf("umask %o: the stores file says %v", umask, places)
		}
		if stores.User.Path() != user || stores.Team.Path() != team {
			t.Errorf("opened %s and %s", stores.User.Path(), stores.Team.Path())
		}
		if got := mode(t, user).Perm(); got != 0o700 {
			t.Errorf("umask %o: user store has mode %o", umask, got)
		}
		if got := mode(t, team).Perm(); got != 0o760 {
			t.Errorf("umask %o: team store has mode %o", umask, got)
		}
	}
}

func TestAPipeInPlaceOfAFileDoesNotBlock(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".mbl-stores.json")
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := credstore.Open(credstore.Config{Home: home}); !errors.Is(err, credstore.ErrDamaged) {
		t.Errorf("error %v", err)
	}
}

func TestAPipeInAnEntryDoesNotBlock(t *testing.T) {
	const privateKey = "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY.bin"
	stores := open(t, t.TempDir())
	for entry, pipe := range map[string]string{"known": privateKey, "unknown": "pipe.bin"} {
		putEntry(t, stores.Team.Path(), entry, developer(t).Variables())
		path := filepath.Join(stores.Team.Path(), entry, pipe)
		if entry == "known" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stores.LoadDeveloper(t.Context(), "known"); !errors.Is(err, credstore.ErrDamaged) {
		t.Errorf("a pipe for a variable: %v", err)
	}
	if _, err := stores.LoadDeveloper(t.Context(), "unknown"); err != nil {
		t.Errorf("a pipe that is not looked at: %v", err)
	}
}

func TestAPipeInPlaceOfTheConfigDoesNotBlock(t *testing.T) {
	stores := open(t, t.TempDir())
	if err := syscall.Mkfifo(filepath.Join(stores.Team.Path(), "config.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := stores.SaveDeveloper(t.Context(), "x", developer(t)); !errors.Is(err, credstore.ErrDamaged) {
		t.Errorf("error %v", err)
	}
}

// A file is exposed to those who may read it and can get to it; the folder of
// the original's team store keeps others out.
func TestWhoCanGetToASecret(t *testing.T) {
	for _, c := range []struct {
		team         bool
		folder, file os.FileMode
		exposed      bool
	}{
		{true, 0o750, 0o644, false},
		{true, 0o755, 0o644, true},
		{true, 0o751, 0o644, true},
		{true, 0o770, 0o640, false},
		{true, 0o755, 0o640, false},
		{false, 0o700, 0o644, false},
		{false, 0o701, 0o640, false},
		{false, 0o710, 0o604, false},
		{false, 0o711, 0o640, true},
	} {
		stores := open(t, t.TempDir())
		dir, examine := stores.User.Path(), stores.User.Examine
		if c.team {
			dir, examine = stores.Team.Path(), stores.Team.Examine
		}
		file := filepath.Join(dir, "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY.bin")
		write(t, file, "secret")
		for path, mode := range map[string]os.FileMode{dir: c.folder, file: c.file} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		condition, err := examine()
		if got := slices.Contains(condition.Exposed, file); err != nil || got != c.exposed {
			t.Errorf("%+v: exposed %v, %v", c, condition.Exposed, err)
		}
	}
}
