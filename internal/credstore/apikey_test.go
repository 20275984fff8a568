package credstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/credstore"
	"mbl/internal/secret"
)

func save(t *testing.T, stores *credstore.Stores, url, key string) {
	t.Helper()
	err := stores.User.SaveAPIKey(t.Context(), credstore.APIKey{Name: "default", URL: url, Key: secret.New(key), CAFile: "/ca/" + key})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAKeyIsKeptWithItsServiceAndReadableByTheOriginal(t *testing.T) {
	home := t.TempDir()
	stores := open(t, home)
	save(t, stores, "https://one.example", "ak_one")
	save(t, stores, "https://two.example", "ak_two")

	config := filepath.Join(stores.User.Path(), "config.json")
	doc := readJSON(t, config)
	if doc["api_key"] != "ak_two" || doc["location"] != stores.User.Path() {
		t.Errorf("the original would read %v at %v", doc["api_key"], doc["location"])
	}
	if got := mode(t, config).Perm(); got != 0o600 {
		t.Errorf("config.json has mode %o", got)
	}
	for url, want := range map[string]string{"https://one.example": "ak_one", "https://two.example": "ak_two"} {
		key, err := stores.User.APIKeyFor(url)
		if err != nil || key.Key.Reveal() != want || key.CAFile != "/ca/"+want {
			t.Errorf("%s: key %q, CA %q, %v", url, key.Key.Reveal(), key.CAFile, err)
		}
	}
	if _, err := stores.User.APIKeyFor("https://three.example"); !errors.Is(err, credstore.ErrNotFound) {
		t.Errorf("a key for an unknown service: %v", err)
	}
	chosen, err := stores.User.ChosenAPIKey()
	if err != nil || chosen.URL != "https://two.example" {
		t.Errorf("chosen: %q, %v", chosen.URL, err)
	}
}

func TestSavingAgainReplacesTheServicesKey(t *testing.T) {
	stores := open(t, t.TempDir())
	save(t, stores, "https://one.example", "ak_old")
	save(t, stores, "https://one.example", "ak_new")
	config := read(t, filepath.Join(stores.User.Path(), "config.json"))
	if strings.Contains(config, "ak_old") {
		t.Errorf("the old key is still there: %s", config)
	}
}

func TestFieldsOfOthersSurvive(t *testing.T) {
	stores := open(t, t.TempDir())
	config := filepath.Join(stores.User.Path(), "config.json")
	write(t, config, `{"location": "/old", "api_key": "ak_x", "dev_certs": {}, "later": {"a": [1, 2.50, "é"]}}`)
	save(t, stores, "https://one.example", "ak_one")
	later, ok := readJSON(t, config)["later"].(map[string]any)
	if !ok || len(later["a"].([]any)) != 3 {
		t.Errorf("unknown field became %v", later)
	}
	if !strings.Contains(read(t, config), "2.50") {
		t.Error("a number was rewritten")
	}
}

func TestTheOriginalsKeyIsChosen(t *testing.T) {
	stores := open(t, t.TempDir())
	config := filepath.Join(stores.User.Path(), "config.json")

	t.Run("alone", func(t *testing.T) {
		write(t, config, `{"location": "x", "api_key": "ak_original"}`)
		key, err := stores.User.ChosenAPIKey()
		if err != nil || key.Key.Reveal() != "ak_original" || key.URL != credstore.OriginalService {
			t.Errorf("key %q for %q, %v", key.Key.Reveal(), key.URL, err)
		}
	})
	t.Run("saved after one of ours", func(t *testing.T) {
		write(t, config, `{"api_key": "ak_original", "mbl_api_keys": [{"name":"default","url":"https://one.example","key":"ak_ours"}]}`)
		key, err := stores.User.ChosenAPIKey()
		if err != nil || key.Key.Reveal() != "ak_original" || key.URL != credstore.OriginalService {
			t.Errorf("key %q for %q, %v", key.Key.Reveal(), key.URL, err)
		}
	})
}

func TestNoKeyIsNotFound(t *testing.T) {
	stores := open(t, t.TempDir())
	for _, content := range []string{"", `{}`, `null`, `{"api_key":""}`} {
		if content != "" {
			write(t, filepath.Join(stores.User.Path(), "config.json"), content)
		}
		if _, err := stores.User.ChosenAPIKey(); !errors.Is(err, credstore.ErrNotFound) {
			t.Errorf("config %q: %v", content, err)
		}
	}
}

func TestADamagedConfigIsNeitherUsedNorOverwritten(t *testing.T) {
	stores := open(t, t.TempDir())
	config := filepath.Join(stores.User.Path(), "config.json")
	for _, content := range []string{`{"api_key": "ak_secret`, `[]`, `{"api_key": ["ak_secret"]}`, `{"mbl_api_keys": {"ak_secret": 1}}`, "\x00\xff"} {
		write(t, config, content)
		if _, err := stores.User.ChosenAPIKey(); !errors.Is(err, credstore.ErrDamaged) {
			t.Errorf("%q read as: %v", content, err)
		}
		err := stores.User.SaveAPIKey(t.Context(), credstore.APIKey{URL: "https://x", Key: secret.New("ak_new")})
		if err == nil && read(t, config) == content {
			t.Errorf("%q: says saved, was not", content)
		}
		if err != nil && (read(t, config) != content || strings.Contains(err.Error(), "ak_")) {
			t.Errorf("%q became %q; error %v", content, read(t, config), err)
		}
	}
	if left := tree(t, stores.User.Path()); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAnOpenUserStoreIsClosedBeforeASecretGoesIn(t *testing.T) {
	stores := open(t, t.TempDir())
	if err := os.Chmod(stores.User.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	save(t, stores, "https://one.example", "ak_one")
	if got := mode(t, stores.User.Path()).Perm(); got != 0o700 {
		t.Errorf("mode %o", got)
	}
}

func TestTheOriginalsKeySurvivesThatOursIsSavedAndForgotten(t *testing.T) {
	stores := open(t, t.TempDir())
	config := filepath.Join(stores.User.Path(), "config.json")
	write(t, config, `{"api_key": "ak_original"}`)
	save(t, stores, "https://one.example", "ak_one")
	if key, err := stores.User.APIKeyFor(credstore.OriginalService); err != nil || key.Key.Reveal() != "ak_original" {
		t.Errorf("the original's key: %q, %v", key.Key.Reveal(), err)
	}
	if err := stores.User.ForgetAPIKey(t.Context(), "default", "https://one.example"); err != nil {
		t.Fatal(err)
	}
	if readJSON(t, config)["api_key"] != "ak_original" {
		t.Errorf("left: %s", read(t, config))
	}
}

func TestOnlyThePublicPartOfAKeyIsItsID(t *testing.T) {
	const id, hidden = "0190000000000000000000000000abcd", "SECRETSECRETSECRETSECRETSECRETSE"
	whole := "ak_1" + strings.Repeat("M", 43) + id + hidden
	for text, want := range map[string]string{whole: id, "": "", "ak_1short": "", whole + "x": "", "xx" + whole[2:]: ""} {
		if got := (credstore.APIKey{Key: secret.New(text)}).ID(); got != want {
			t.Errorf("the id of a key of %d bytes is %q", len(text), got)
		}
	}
}
