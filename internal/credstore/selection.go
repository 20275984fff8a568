package credstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"unicode/utf8"

	"mbl/internal/atomicfile"
	"mbl/internal/secret"
)

const maxSelectionFile = 64 << 10 // bytes

// Selection is the device that commands work with unless told otherwise.
type Selection struct {
	Hostname string
	Address  string // host, host:port, IPv6%zone or [IPv6%zone]:port
	Username string // on the device
	Password secret.Text
}

// storedSelection is a Selection as the original's file holds it.
type storedSelection struct {
	Hostname string `json:"hostname"`
	Address  string `json:"address"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// SelectionFile is where the selected device is kept.
func SelectionFile(home string) string { return filepath.Join(home, ".mbl-dev.json") }

// LoadSelection reads the selected device. The error matches ErrNotFound if
// none was selected.
func LoadSelection(path string) (Selection, error) {
	data, err := readFile(path, maxSelectionFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Selection{}, fmt.Errorf("a selected device: %w", ErrNotFound)
	}
	if err != nil {
		return Selection{}, fmt.Errorf("cannot read the selected device: %w", err)
	}
	selection, problem := parseSelection(data)
	if problem != "" {
		return Selection{}, damaged(path, "%s", problem)
	}
	return selection, nil
}

// parseSelection does not repeat what is in the file: it may be a password.
func parseSelection(data []byte) (selection Selection, problem string) {
	var stored storedSelection
	if !utf8.Valid(data) || json.Unmarshal(data, &stored) != nil {
		return Selection{}, "it is not a JSON object of texts"
	}
	if stored.Address == "" {
		return Selection{}, "it names no address"
	}
	return Selection{
		Hostname: stored.Hostname,
		Address:  stored.Address,
		Username: stored.Username,
		Password: secret.New(stored.Password),
	}, ""
}

// SaveSelection keeps the selected device.
func SaveSelection(path string, s Selection) error {
	data, err := json.Marshal(storedSelection{s.Hostname, s.Address, s.Username, s.Password.Reveal()})
	if err != nil {
		return fmt.Errorf("cannot encode the selected device: %w", err)
	}
	if err := atomicfile.Write(path, append(data, '\n'), secretMode); err != nil {
		return fmt.Errorf("cannot keep the selected device: %w", err)
	}
	return nil
}
