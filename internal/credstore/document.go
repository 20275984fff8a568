package credstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"mbl/internal/atomicfile"
)

const (
	configFile    = "config.json"
	maxConfigFile = 4 << 20 // bytes

	// Fields of the original tool.
	fieldLocation = "location"
	fieldAPIKey   = "api_key"
	fieldCerts    = "dev_certs"

	// Fields of ours, which the original passes over.
	fieldAPIKeys = "mbl_api_keys"
	fieldPins    = "mbl_pins"
)

// document is a store's config.json. Fields this program does not know stay
// as they are when it is written back.
type document map[string]json.RawMessage

// readDocument reads a store's config.json; a store without one has an empty
// document.
func readDocument(dir string) (document, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := readInside(root, configFile, maxConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return document{}, nil
	}
	if err != nil {
		return nil, err
	}
	doc, err := parseDocument(data)
	if err != nil {
		return nil, damaged(filepath.Join(dir, configFile), "%v", err)
	}
	return doc, nil
}

// parseDocument takes an empty file for an empty document: the original makes
// one of every store it looks into.
func parseDocument(data []byte) (document, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return document{}, nil
	}
	var doc document
	// The decoder would put something else in place of what is not UTF-8.
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	// Not the decoder's own words: they speak of Go.
	if json.Unmarshal(data, &doc) != nil {
		return nil, errors.New("it is not a JSON object, or only a part of one")
	}
	if doc == nil {
		return document{}, nil // the text "null"
	}
	return doc, nil
}

// write replaces config.json and notes where the store is, as the original does.
func (d document) write(dir string, mode fs.FileMode) error {
	if err := d.set(fieldLocation, dir); err != nil {
		return err
	}
	data, err := json.MarshalIndent(d, "", "    ")
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", configFile, err)
	}
	return atomicfile.Write(filepath.Join(dir, configFile), append(data, '\n'), mode)
}

// get decodes a field into v, which stays as it is when there is no such
// field. dir is named in the error.
func (d document) get(dir, field string, v any) error {
	raw, ok := d[field]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		// Not the decoder's own words: they may repeat a secret.
		return damaged(filepath.Join(dir, configFile), "the field %s is not what it should be", field)
	}
	return nil
}

func (d document) set(field string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode the field %s: %w", field, err)
	}
	d[field] = raw
	return nil
}
