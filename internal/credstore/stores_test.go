package credstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/credstore"
)

func TestAStoreThatExistsKeepsItsRights(t *testing.T) {
	home := t.TempDir()
	team := filepath.Join(home, ".mbl-store/team")
	if err := os.MkdirAll(team, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(team, 0o2770|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	before := mode(t, team)
	open(t, home)
	if after := mode(t, team); after != before {
		t.Errorf("the team store went from %v to %v", before, after)
	}
}

func TestStoresFileNamesTheStores(t *testing.T) {
	home := t.TempDir()
	elsewhere := t.TempDir()
	file := filepath.Join(elsewhere, "stores.json")
	tests := map[string]struct{ content, user, team string }{
		"absolute":               {`{"user":"` + elsewhere + `/u","team":"` + elsewhere + `/t/"}`, elsewhere + "/u", elsewhere + "/t"},
		"home":                   {`{"user":"~/a/u","team":"~/a/t"}`, home + "/a/u", home + "/a/t"},
		"relative to the file":   {`{"user":"u2","team":"./t2"}`, elsewhere + "/u2", elsewhere + "/t2"},
		"left out":               {`{"team":"~/mine"}`, home + "/.mbl-store/user", home + "/mine"},
		"unknown fields, spaces": {" {\n\"user\":\"~/b/u\", \"team\":\"~/b/t\", \"x\":1}", home + "/b/u", home + "/b/t"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			write(t, file, test.content)
			stores, err := credstore.Open(credstore.Config{Home: home, StoresFile: file})
			if err != nil {
				t.Fatal(err)
			}
			if stores.User.Path() != test.user || stores.Team.Path() != test.team {
				t.Errorf("opened %s and %s", stores.User.Path(), stores.Team.Path())
			}
			if read(t, file) != test.content {
				t.Error("the stores file was rewritten")
			}
			if _, err := os.Stat(filepath.Join(home, ".mbl-stores.json")); err == nil {
				t.Error("the default stores file was made, although another is named")
			}
		})
	}
}

func TestADamagedStoresFileIsRefusedByName(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".mbl-stores.json")
	tests := map[string]string{
		"not JSON":     "user: here",
		"array":        `["a","b"]`,
		"number":       `{"user": 1}`,
		"other's home": `{"user":"~root/x"}`,
		"NUL":          `{"user":"/a\u0000b"}`,
		"one folder":   `{"user":"~/same","team":"~/same"}`,
		"huge":         `{"user":"` + strings.Repeat("a", 1<<17) + `"}`,
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			write(t, file, content)
			_, err := credstore.Open(credstore.Config{Home: home})
			if !errors.Is(err, credstore.ErrDamaged) || !strings.Contains(err.Error(), file) {
				t.Errorf("error %v", err)
			}
			if read(t, file) != content {
				t.Error("the file was changed")
			}
		})
	}
}

func TestAFolderInPlaceOfAFileIsDamage(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, ".mbl-stores.json", "x"), "")
	if _, err := credstore.Open(credstore.Config{Home: home}); !errors.Is(err, credstore.ErrDamaged) {
		t.Errorf("error %v", err)
	}
}

// The original makes a store's files before it has anything to write into them.
func TestFilesThatTheOriginalOnlyTouchedAreEmpty(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, ".mbl-stores.json"), "")
	stores := open(t, home)
	if !strings.Contains(read(t, filepath.Join(home, ".mbl-stores.json")), stores.Team.Path()) {
		t.Error("the stores file does not name the default stores")
	}
	write(t, filepath.Join(stores.User.Path(), "config.json"), "")
	write(t, filepath.Join(stores.Team.Path(), "config.json"), "\n")
	if entries, err := stores.List(); err != nil || len(entries) > 0 {
		t.Errorf("listed %v, %v", entries, err)
	}
	if _, err := stores.User.ChosenAPIKey(); !errors.Is(err, credstore.ErrNotFound) {
		t.Errorf("the API key: %v", err)
	}
	save(t, stores, "https://one.example", "ak_one")
	if got := readJSON(t, filepath.Join(stores.User.Path(), "config.json"))["api_key"]; got != "ak_one" {
		t.Errorf("saved %v", got)
	}
	for _, report := range []func() (credstore.Report, error){stores.User.Report, stores.Team.Report} {
		if found, err := report(); err != nil || len(found.Problems) > 0 {
			t.Errorf("%s: %v, %v", found.Path, found.Problems, err)
		}
	}
}
