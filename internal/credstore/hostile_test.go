package credstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/credstore"
)

func TestNamesThatAreNoNames(t *testing.T) {
	stores := open(t, t.TempDir())
	for _, name := range []string{
		"", ".", "..", "../evil", "a/b", `a\b`, "/abs", ".hidden", "-rf", "a\x00b", "a\nb", "a\x1b[31m", "a\u202eb",
		"\xff\xfe", " lead", "trail ", "config.json", strings.Repeat("a", 101),
	} {
		if err := credstore.CheckName(name); !errors.Is(err, credstore.ErrName) {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
		if err := stores.SaveDeveloper(t.Context(), name, developer(t)); !errors.Is(err, credstore.ErrName) {
			t.Errorf("saved as %q: %v", name, err)
		}
		if _, err := stores.LoadDeveloper(t.Context(), name); !errors.Is(err, credstore.ErrName) {
			t.Errorf("loaded %q: %v", name, err)
		}
		if err := stores.Delete(t.Context(), name); !errors.Is(err, credstore.ErrName) {
			t.Errorf("deleted %q: %v", name, err)
		}
		if stores.User.HasUpdateKey(name) {
			t.Errorf("has a key for %q", name)
		}
	}
	for _, name := range []string{"a", "my devices", "größe", "a.b-c_d@e:f", strings.Repeat("a", 100)} {
		if err := credstore.CheckName(name); err != nil {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}

func TestAHostileTeamStoreReachesNothingOutside(t *testing.T) {
	const privateKey = "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY.bin"
	hostilities := map[string]func(t *testing.T, team, entry, outside string) error{
		"entry is a link out": func(_ *testing.T, _, entry, outside string) error {
			return errors.Join(os.RemoveAll(entry), os.Symlink(outside, entry))
		},
		"entry is a link inside": func(_ *testing.T, team, entry, _ string) error {
			return errors.Join(os.Rename(entry, filepath.Join(team, "real")), os.Symlink("real", entry))
		},
		"entry is a file": func(t *testing.T, _, entry, _ string) error {
			return errors.Join(os.RemoveAll(entry), os.WriteFile(entry, nil, 0o600))
		},
		"variable is a link out": func(_ *testing.T, _, entry, outside string) error {
			return errors.Join(os.Remove(filepath.Join(entry, privateKey)), os.Symlink(filepath.Join(outside, "secret"), filepath.Join(entry, privateKey)))
		},
		"variable is a link within": func(_ *testing.T, _, entry, _ string) error {
			return errors.Join(os.Rename(filepath.Join(entry, privateKey), filepath.Join(entry, "other")), os.Symlink("other", filepath.Join(entry, privateKey)))
		},
		"variable is a device": func(_ *testing.T, _, entry, _ string) error {
			return errors.Join(os.Remove(filepath.Join(entry, privateKey)), os.Symlink("/dev/zero", filepath.Join(entry, privateKey)))
		},
		"config is a link out": func(_ *testing.T, team, entry, outside string) error {
			return errors.Join(os.RemoveAll(entry), os.Symlink(filepath.Join(outside, "secret"), filepath.Join(team, "config.json")))
		},
		"config is nested deeply": func(_ *testing.T, team, entry, _ string) error {
			return errors.Join(os.RemoveAll(entry), os.WriteFile(filepath.Join(team, "config.json"), []byte(strings.Repeat(`{"a":`, 1<<18)), 0o600))
		},
		"variable is a folder": func(_ *testing.T, _, entry, _ string) error {
			return errors.Join(os.Remove(filepath.Join(entry, privateKey)), os.Mkdir(filepath.Join(entry, privateKey), 0o700))
		},
		"variable is huge": func(_ *testing.T, _, entry, _ string) error {
			return os.Truncate(filepath.Join(entry, privateKey), 1<<40)
		},
		"variables are heavy together": func(t *testing.T, _, entry, _ string) error {
			write(t, filepath.Join(entry, "MBED_CLOUD_DEV_MANUFACTURER.bin"), strings.Repeat("m", 40<<10))
			write(t, filepath.Join(entry, "MBED_CLOUD_DEV_MODEL_NUMBER.bin"), strings.Repeat("m", 40<<10))
			return nil
		},
		"too many files": func(t *testing.T, _, entry, _ string) error {
			for i := range 300 {
				write(t, filepath.Join(entry, strings.Repeat("f", i+1)[:min(i+1, 200)]+string(rune('a'+i%26))+strings.Repeat("g", i/26)), "")
			}
			return nil
		},
	}
	for name, be := range hostilities {
		t.Run(name, func(t *testing.T) {
			stores, outside := open(t, t.TempDir()), t.TempDir()
			putEntry(t, outside, ".", developer(t).Variables())
			write(t, filepath.Join(outside, "secret"), "outside")
			entry := filepath.Join(stores.Team.Path(), "x")
			putEntry(t, stores.Team.Path(), "x", developer(t).Variables())
			if err := be(t, stores.Team.Path(), entry, outside); err != nil {
				t.Fatal(err)
			}
			before := tree(t, outside)

			if dev, err := stores.LoadDeveloper(t.Context(), "x"); err == nil {
				t.Errorf("loaded %v", dev)
			}
			if _, err := stores.List(); err != nil {
				t.Errorf("one bad entry spoils the list: %v", err)
			}
			_ = stores.Delete(t.Context(), "x") // may be refused, must stay inside
			if after := tree(t, outside); len(after) != len(before) || read(t, filepath.Join(outside, "secret")) != "outside" {
				t.Errorf("outside went from %v to %v", before, after)
			}
		})
	}
}

func TestPathsInTheTeamsConfigAreNotFollowed(t *testing.T) {
	stores, outside := open(t, t.TempDir()), t.TempDir()
	putEntry(t, outside, "evil", developer(t).Variables())
	write(t, filepath.Join(stores.Team.Path(), "config.json"),
		`{"location": "`+outside+`", "dev_certs": {"evil": ["`+outside+`/evil/MBED_CLOUD_DEV_SERIAL_NUMBER.bin"], "../../up": ["/etc/passwd"]}}`)
	if _, err := stores.LoadDeveloper(t.Context(), "evil"); !errors.Is(err, credstore.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	entries, err := stores.List()
	if err != nil || len(entries) != 1 || entries[0].Developer != nil || !errors.Is(entries[0].Problem, credstore.ErrDamaged) {
		t.Errorf("listed %v, %v", entries, err)
	}
}

func TestAStoreWithThousandsOfEntriesIsListed(t *testing.T) {
	const many = 3000
	stores := open(t, t.TempDir())
	for i := range many {
		write(t, filepath.Join(stores.Team.Path(), fmt.Sprintf("entry-%04d", i), "arm_uc_vendor_id.bin"), "")
	}
	entries, err := stores.List()
	if err != nil || len(entries) != many || entries[0].Problem == nil {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func TestAFloodedStoreIsRefused(t *testing.T) {
	stores := open(t, t.TempDir())
	for i := range 10001 {
		if err := os.Symlink("nowhere", filepath.Join(stores.Team.Path(), fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stores.List(); !errors.Is(err, credstore.ErrDamaged) {
		t.Errorf("error %v", err)
	}
}
