package credstore

import (
	"path/filepath"
	"testing"
)

func FuzzStoresFile(f *testing.F) {
	for _, seed := range []string{`{"user":"/u","team":"/t"}`, `{"user":"~/u","team":"t"}`, `{"user":"~x"}`, `null`, `{"user":"../.."}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := parsePlaces(data, "/home/u", "/base")
		if err == nil && !(filepath.IsAbs(found.User) && filepath.IsAbs(found.Team)) {
			t.Errorf("not absolute: %+v", found)
		}
	})
}

func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		`{"location":"/x","api_key":"ak_1","dev_certs":{"a":["/x/a/b.bin"]}}`,
		`{"mbl_api_keys":[{"name":"n","url":"u","key":"k"}],"mbl_pins":{"/t":{"developer/a":"00"}}}`,
		`null`, `{"dev_certs":null}`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		doc, err := parseDocument(data)
		if err != nil {
			return
		}
		var text string
		var keys []storedKey
		known := pins{}
		certs := map[string][]string{}
		for field, v := range map[string]any{fieldAPIKey: &text, fieldAPIKeys: &keys, fieldPins: &known, fieldCerts: &certs} {
			_ = doc.get("/store", field, v)
		}
	})
}

func FuzzSelection(f *testing.F) {
	for _, seed := range []string{`{"hostname":"vm","address":"fd00::2%eth0","username":"root","password":""}`, `{}`, `null`, `{"address":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		selection, problem := parseSelection(data)
		if problem == "" && selection.Address == "" {
			t.Error("a selection without an address")
		}
	})
}
