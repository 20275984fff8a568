package credstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mbl/internal/credstore"
	"mbl/internal/pki"
)

func TestADeveloperCertificateComesBackAsItWas(t *testing.T) {
	stores, dev := open(t, t.TempDir()), developer(t)
	if err := stores.SaveDeveloper(t.Context(), "my devices", dev); err != nil {
		t.Fatal(err)
	}
	got, err := stores.LoadDeveloper(t.Context(), "my devices")
	if err != nil || !reflect.DeepEqual(got, dev) {
		t.Fatalf("%v, %v", got, err)
	}

	team := stores.Team.Path()
	folder := filepath.Join(team, "my devices")
	if mode(t, folder).Perm() != 0o700 {
		t.Errorf("folder has mode %v", mode(t, folder))
	}
	certs := readJSON(t, filepath.Join(team, "config.json"))["dev_certs"].(map[string]any)["my devices"].([]any)
	if len(certs) != len(dev.Variables()) {
		t.Errorf("config.json lists %v", certs)
	}
	for _, file := range certs {
		if mode(t, file.(string)).Perm() != 0o600 {
			t.Errorf("%s has mode %v", file, mode(t, file.(string)))
		}
	}
	for _, v := range dev.Variables() {
		if read(t, filepath.Join(folder, v.Name+".bin")) != string(v.Data) {
			t.Errorf("%s differs", v.Name)
		}
	}
}

func TestInASharedStoreTheGroupCanRead(t *testing.T) {
	stores := open(t, t.TempDir())
	if err := os.Chmod(stores.Team.Path(), 0o770|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if err := stores.SaveDeveloper(t.Context(), "shared", developer(t)); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(stores.Team.Path(), "shared")
	if got := mode(t, folder); got.Perm() != 0o770 || got&os.ModeSetgid == 0 {
		t.Errorf("folder %v", got)
	}
	if got := mode(t, filepath.Join(folder, "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY.bin")).Perm(); got != 0o640 {
		t.Errorf("private key has mode %o", got)
	}
}

func TestAnUpdateAuthorityIsKeptApart(t *testing.T) {
	stores, up := open(t, t.TempDir()), update(t)
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := stores.SaveUpdateAuthority(t.Context(), "updates", up, key); err != nil {
		t.Fatal(err)
	}
	file := stores.User.UpdateKeyFile("updates")
	if !stores.User.HasUpdateKey("updates") || mode(t, file).Perm() != 0o600 || !strings.HasPrefix(read(t, file), "-----BEGIN PRIVATE KEY-----") {
		t.Errorf("private key: %v", mode(t, file))
	}
	for _, path := range tree(t, stores.Team.Path()) {
		info, err := os.Stat(filepath.Join(stores.Team.Path(), path))
		if err == nil && info.Mode().IsRegular() && strings.Contains(read(t, filepath.Join(stores.Team.Path(), path)), "PRIVATE") {
			t.Errorf("%s in the team store holds a private key", path)
		}
	}
	got, err := stores.LoadUpdate(t.Context(), "updates")
	if err != nil || !reflect.DeepEqual(got.Certificate, up.Certificate) {
		t.Errorf("%v, %v", got, err)
	}

	if err := stores.SaveUpdateAuthority(t.Context(), "updates", up, key); !errors.Is(err, credstore.ErrExists) {
		t.Errorf("saved a second one: %v", err)
	}
}

func TestAnEntryIsNeverReplaced(t *testing.T) {
	stores, dev := open(t, t.TempDir()), developer(t)
	if err := stores.SaveDeveloper(t.Context(), "x", dev); err != nil {
		t.Fatal(err)
	}
	before := tree(t, stores.Team.Path())
	if err := stores.SaveUpdate(t.Context(), "x", update(t)); !errors.Is(err, credstore.ErrExists) {
		t.Errorf("error %v", err)
	}
	if after := tree(t, stores.Team.Path()); !reflect.DeepEqual(before, after) {
		t.Errorf("the store went from %v to %v", before, after)
	}
}

func TestAFailedSaveLeavesNothing(t *testing.T) {
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	breakages := map[string]func(t *testing.T, stores *credstore.Stores){
		"team config is damaged": func(t *testing.T, stores *credstore.Stores) {
			write(t, filepath.Join(stores.Team.Path(), "config.json"), `{"dev_certs": 1}`)
		},
		"team config is a folder": func(t *testing.T, stores *credstore.Stores) {
			write(t, filepath.Join(stores.Team.Path(), "config.json", "x"), "")
		},
		"user config is damaged": func(t *testing.T, stores *credstore.Stores) {
			write(t, filepath.Join(stores.User.Path(), "config.json"), `{`)
		},
		"team store is gone": func(t *testing.T, stores *credstore.Stores) {
			if err := os.RemoveAll(stores.Team.Path()); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, damage := range breakages {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			stores := open(t, home)
			damage(t, stores)
			before := tree(t, home)
			if err := stores.SaveUpdateAuthority(t.Context(), "x", update(t), key); err == nil {
				t.Fatal("saved")
			}
			if err := stores.SaveDeveloper(t.Context(), "y", developer(t)); err == nil {
				t.Fatal("saved")
			}
			for _, path := range tree(t, home) {
				if strings.Contains(path, "x") && strings.HasSuffix(path, ".pem") || filepath.Base(path) == "y" || strings.HasPrefix(filepath.Base(path), ".new") {
					t.Errorf("left behind: %s (before: %v)", path, before)
				}
			}
		})
	}
}

func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	stores := open(t, t.TempDir())
	team := stores.Team.Path()
	write(t, filepath.Join(team, ".new-x", "half.bin"), "half")
	write(t, filepath.Join(team, ".old-y", "half.bin"), "half")
	write(t, filepath.Join(team, ".config.json.tmp-123"), "half")
	if err := stores.SaveDeveloper(t.Context(), "x", developer(t)); err != nil {
		t.Fatal(err)
	}
	for _, path := range tree(t, team) {
		if strings.HasPrefix(path, ".") {
			t.Errorf("still there: %s", path)
		}
	}
}

func TestDeleteRemovesTheEntryAndItsNameFromTheConfig(t *testing.T) {
	stores := open(t, t.TempDir())
	for _, name := range []string{"x", "y"} {
		if err := stores.SaveDeveloper(t.Context(), name, developer(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := stores.Delete(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	certs := readJSON(t, filepath.Join(stores.Team.Path(), "config.json"))["dev_certs"].(map[string]any)
	if _, there := certs["x"]; there || len(certs) != 1 {
		t.Errorf("config.json lists %v", certs)
	}
	if _, err := stores.LoadDeveloper(t.Context(), "x"); !errors.Is(err, credstore.ErrNotFound) {
		t.Errorf("loaded after deletion: %v", err)
	}
	if err := stores.Delete(t.Context(), "x"); !errors.Is(err, credstore.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if err := stores.SaveDeveloper(t.Context(), "x", developer(t)); err != nil {
		t.Errorf("the name cannot be used again: %v", err)
	}
}

func TestAFailedDeletePutsTheEntryBack(t *testing.T) {
	stores := open(t, t.TempDir())
	if err := stores.SaveDeveloper(t.Context(), "x", developer(t)); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(stores.Team.Path(), "config.json")
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(config, "in the way"), "")
	if err := stores.Delete(t.Context(), "x"); err == nil {
		t.Fatal("deleted")
	}
	if _, err := stores.LoadDeveloper(t.Context(), "x"); err != nil {
		t.Errorf("the entry is gone: %v", err)
	}
}

func TestASilentChangeIsRefused(t *testing.T) {
	home := t.TempDir()
	stores := open(t, home)
	putEntry(t, stores.Team.Path(), "theirs", developer(t).Variables())
	if _, err := stores.LoadDeveloper(t.Context(), "theirs"); err != nil {
		t.Fatalf("first use: %v", err)
	}
	write(t, filepath.Join(stores.Team.Path(), "theirs/MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI.bin"), "coaps://evil.example:5684?aid=1")

	if _, err := stores.LoadDeveloper(t.Context(), "theirs"); !errors.Is(err, credstore.ErrChanged) {
		t.Fatalf("used a changed certificate: %v", err)
	}
	entries, err := stores.List()
	if err != nil || len(entries) != 1 || !entries[0].Changed {
		t.Errorf("listed as %v, %v", entries, err)
	}
	if err := stores.AcceptChange(t.Context(), "theirs"); err != nil {
		t.Fatal(err)
	}
	if _, err := stores.LoadDeveloper(t.Context(), "theirs"); err != nil {
		t.Errorf("after accepting the change: %v", err)
	}
}

func TestListingPinsNothing(t *testing.T) {
	stores := open(t, t.TempDir())
	putEntry(t, stores.Team.Path(), "theirs", developer(t).Variables())
	if _, err := stores.List(); err != nil {
		t.Fatal(err)
	}
	if left := tree(t, stores.User.Path()); len(left) != 0 {
		t.Errorf("listing wrote %v", left)
	}
}

func TestAnEntryOfTheOriginalWithDamagedStringsIsRead(t *testing.T) {
	stores, dev := open(t, t.TempDir()), developer(t)
	putEntry(t, stores.Team.Path(), "old", dev.Variables())
	folder := filepath.Join(stores.Team.Path(), "old")
	write(t, filepath.Join(folder, "MBED_CLOUD_DEV_MANUFACTURER.bin"), "dev_manufacture")
	write(t, filepath.Join(folder, "MBED_CLOUD_DEV_MEMORY_TOTAL_KB.bin"), "0")
	write(t, filepath.Join(stores.Team.Path(), "config.json"),
		`{"location": "/elsewhere", "dev_certs": {"old": ["/elsewhere/team/old/MBED_CLOUD_DEV_MANUFACTURER.bin"]}}`)

	got, err := stores.LoadDeveloper(t.Context(), "old")
	if err != nil || got.Manufacturer != "dev_manufacture" || got.MemoryTotalKB != 0 || got.EndpointName != dev.EndpointName {
		t.Fatalf("%v, %v", got, err)
	}
	if err := stores.SaveDeveloper(t.Context(), "new", dev); err != nil {
		t.Fatal(err)
	}
	certs := readJSON(t, filepath.Join(stores.Team.Path(), "config.json"))["dev_certs"].(map[string]any)
	if len(certs) != 2 || len(certs["old"].([]any)) != 1 {
		t.Errorf("config.json lists %v", certs)
	}
}

func TestBothKindsUnderOneNameAreRead(t *testing.T) {
	stores := open(t, t.TempDir())
	putEntry(t, stores.Team.Path(), "both", developer(t).Variables())
	putEntry(t, stores.Team.Path(), "both", update(t).Variables())
	entries, err := stores.List()
	if err != nil || len(entries) != 1 || entries[0].Developer == nil || entries[0].Update == nil || entries[0].Problem != nil {
		t.Errorf("%+v, %v", entries, err)
	}
}

func TestAnInterruptedSaveStops(t *testing.T) {
	stores := open(t, t.TempDir())
	write(t, filepath.Join(stores.Team.Path(), ".lock"), "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := stores.SaveDeveloper(ctx, "x", developer(t))
	if !errors.Is(err, context.Canceled) || !errors.Is(err, credstore.ErrBusy) {
		t.Errorf("error %v", err)
	}
}

func TestEmptyFieldsAreNoReasonToFail(t *testing.T) {
	stores := open(t, t.TempDir())
	write(t, filepath.Join(stores.User.Path(), "config.json"), `{"mbl_pins": null, "mbl_api_keys": null}`)
	write(t, filepath.Join(stores.Team.Path(), "config.json"), `{"dev_certs": null}`)
	if err := stores.SaveDeveloper(t.Context(), "x", developer(t)); err != nil {
		t.Error(err)
	}
}

// A name that cannot be looked up is neither free nor taken, and it is said
// which store that was.
func TestANameThatCannotBeLookedUp(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, ".mbl-stores.json"), fmt.Sprintf(`{"user": %q, "team": %q}`, filepath.Join(home, "user"), filepath.Join(home, "file")))
	write(t, filepath.Join(home, "file"), "no folder")
	err := open(t, home).CheckFree("boards")
	if err == nil || errors.Is(err, credstore.ErrExists) || !strings.HasPrefix(err.Error(), `cannot look for "boards" in the team store: `) {
		t.Errorf("err = %v", err)
	}
}

// The original tool writes config.json in a folder of its own and moves it
// from there. One that was killed leaves the folder.
func TestFoldersInWhichTheOriginalWritesAreNoEntries(t *testing.T) {
	home := t.TempDir()
	stores := open(t, home)
	team := filepath.Join(home, ".mbl-store", "team")
	write(t, filepath.Join(team, "tmpa_1b2c3d", "config.json"), `{"location": "`)
	write(t, filepath.Join(team, "tmp", "config.json"), "")
	putEntry(t, team, "tmp_board", developer(t).Variables())
	putEntry(t, team, "tmpboards_1", developer(t).Variables()) // a certificate may be called so
	putEntry(t, team, "tmpboards_2", nil)
	write(t, filepath.Join(team, "tmpboards_2", "notes"), "an entry whose files are missing")
	entries, err := stores.List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name)
	}
	if want := []string{"tmp_board", "tmpboards_1", "tmpboards_2"}; !slices.Equal(names, want) {
		t.Errorf("entries %q, want %q", names, want)
	}
	if err := stores.SaveDeveloper(t.Context(), "boards", developer(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(team, "tmpa_1b2c3d", "config.json")); err != nil {
		t.Errorf("the original's folder is gone: %v", err)
	}
}
