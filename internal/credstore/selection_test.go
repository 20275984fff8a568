package credstore_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/credstore"
	"mbl/internal/secret"
)

func TestTheSelectedDeviceIsKeptAsTheOriginalReadsIt(t *testing.T) {
	path := credstore.SelectionFile(t.TempDir())
	want := credstore.Selection{Hostname: "vm", Address: "fd00::2%eth0", Username: "root", Password: secret.New("pw")}
	if err := credstore.SaveSelection(path, want); err != nil {
		t.Fatal(err)
	}
	if mode(t, path).Perm() != 0o600 {
		t.Errorf("mode %v", mode(t, path))
	}
	doc := readJSON(t, path)
	if len(doc) != 4 || doc["hostname"] != "vm" || doc["address"] != "fd00::2%eth0" || doc["username"] != "root" || doc["password"] != "pw" {
		t.Errorf("the original would read %v", doc)
	}
	got, err := credstore.LoadSelection(path)
	if err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
}

func TestADamagedSelectionIsRefusedWithoutShowingThePassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dev.json")
	if _, err := credstore.LoadSelection(path); !errors.Is(err, credstore.ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
	for _, content := range []string{"", "x", `[]`, `{"hostname":"a"}`, `{"address":"a","password":{"hunter2":1}}`, `{"address":"a","password":"hunter2"`} {
		write(t, path, content)
		_, err := credstore.LoadSelection(path)
		if !errors.Is(err, credstore.ErrDamaged) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", content, err)
		}
	}
}
