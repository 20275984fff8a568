package credstore_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"mbl/internal/credstore"
	"mbl/internal/secret"
)

func saveInKeyring(t *testing.T, stores *credstore.Stores, name, key string) error {
	t.Helper()
	return stores.User.SaveAPIKey(t.Context(), credstore.APIKey{
		Name: name, URL: "https://one.example", Key: secret.New(key), Keyring: true,
	})
}

func TestTheKeyringKeepsTheKeyAndTheStoreOnlyNotesThat(t *testing.T) {
	keyring.MockInit()
	stores := open(t, t.TempDir())
	save(t, stores, "https://one.example", "ak_file")
	if err := saveInKeyring(t, stores, "hidden", "ak_hidden"); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(stores.User.Path(), "config.json")
	if strings.Contains(read(t, config), "ak_hidden") || readJSON(t, config)["api_key"] != nil {
		t.Errorf("config.json holds %s", read(t, config))
	}
	chosen, err := stores.User.ChosenAPIKey()
	if err != nil || chosen.Name != "hidden" || !chosen.Keyring || !chosen.Key.Empty() {
		t.Fatalf("chosen: %+v, %v", chosen, err)
	}
	fetched, err := stores.User.Fetch(t.Context(), chosen)
	if err != nil || fetched.Key.Reveal() != "ak_hidden" {
		t.Errorf("fetched %q, %v", fetched.Key.Reveal(), err)
	}

	if err := stores.User.ChooseAPIKey(t.Context(), "default", "https://one.example"); err != nil {
		t.Fatal(err)
	}
	if readJSON(t, config)["api_key"] != "ak_file" {
		t.Error("the original does not see the key chosen now")
	}
}

func TestAForgottenOrReplacedKeyIsGoneFromTheKeyring(t *testing.T) {
	keyring.MockInit()
	stores := open(t, t.TempDir())
	var items []credstore.APIKey
	for _, key := range []string{"ak_old", "ak_new"} {
		if err := saveInKeyring(t, stores, "hidden", key); err != nil {
			t.Fatal(err)
		}
		chosen, err := stores.User.ChosenAPIKey()
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, chosen)
	}
	if _, err := stores.User.Fetch(t.Context(), items[0]); !errors.Is(err, credstore.ErrKeyring) {
		t.Errorf("the replaced key: %v", err)
	}
	if err := stores.User.ForgetAPIKey(t.Context(), "hidden", "https://one.example"); err != nil {
		t.Fatal(err)
	}
	if _, err := stores.User.Fetch(t.Context(), items[1]); !errors.Is(err, credstore.ErrKeyring) {
		t.Errorf("the forgotten key: %v", err)
	}
	if err := stores.User.ForgetAPIKey(t.Context(), "hidden", "https://one.example"); !errors.Is(err, credstore.ErrNotFound) {
		t.Errorf("forgotten twice: %v", err)
	}
}

func TestAKeyringThatCannotBeUsedChangesNothing(t *testing.T) {
	keyring.MockInit()
	stores := open(t, t.TempDir())
	if err := saveInKeyring(t, stores, "hidden", "ak_hidden"); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(stores.User.Path(), "config.json")
	before := read(t, config)

	keyring.MockInitWithError(errors.New("no Secret Service"))
	t.Cleanup(keyring.MockInit)
	attempts := map[string]error{
		"save":   saveInKeyring(t, stores, "other", "ak_other"),
		"forget": stores.User.ForgetAPIKey(t.Context(), "hidden", "https://one.example"),
	}
	for name, err := range attempts {
		if !errors.Is(err, credstore.ErrKeyring) || strings.Contains(err.Error(), "ak_") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := read(t, config); after != before {
		t.Errorf("config.json became %s", after)
	}
}
