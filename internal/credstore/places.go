package credstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"mbl/internal/atomicfile"
)

const maxPlacesFile = 64 << 10 // bytes

// places are the two store folders as the stores file names them.
type places struct {
	User string `json:"user"`
	Team string `json:"team"`
}

// loadPlaces reads the stores file, or writes it on first use. The original
// makes the file before it has anything to write, so an empty one is none yet.
func loadPlaces(cfg Config) (places, error) {
	path := storesFile(cfg)
	data, err := readFile(path, maxPlacesFile)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(bytes.TrimSpace(data)) == 0 {
		return firstPlaces(cfg)
	}
	if err != nil {
		return places{}, fmt.Errorf("cannot read where the stores are: %w", err)
	}
	found, problem := parsePlaces(data, cfg.Home, filepath.Dir(path))
	if problem != nil {
		return places{}, damaged(path, "%v", problem)
	}
	return found, nil
}

func firstPlaces(cfg Config) (places, error) {
	first := defaultPlaces(cfg.Home)
	data, err := json.MarshalIndent(first, "", "    ")
	if err != nil {
		return places{}, fmt.Errorf("cannot encode where the stores are: %w", err)
	}
	if err := atomicfile.Write(storesFile(cfg), append(data, '\n'), 0o644); err != nil {
		return places{}, fmt.Errorf("%w: %w", ErrNoPlace, err)
	}
	return first, nil
}

func defaultPlaces(home string) places {
	return places{
		User: filepath.Join(home, ".mbl-store", "user"),
		Team: filepath.Join(home, ".mbl-store", "team"),
	}
}

// parsePlaces reads the stores file's content. A place left out is the
// default one; "~" is the home folder; a relative path starts where the
// stores file lies.
func parsePlaces(data []byte, home, base string) (places, error) {
	var found places
	if !utf8.Valid(data) || json.Unmarshal(data, &found) != nil {
		return places{}, errors.New("it is not JSON with the texts user and team")
	}
	defaults := defaultPlaces(home)
	user, err := place(found.User, defaults.User, home, base)
	if err != nil {
		return places{}, fmt.Errorf("user: %w", err)
	}
	team, err := place(found.Team, defaults.Team, home, base)
	if err != nil {
		return places{}, fmt.Errorf("team: %w", err)
	}
	return places{User: user, Team: team}, nil
}

func place(text, otherwise, home, base string) (string, error) {
	switch {
	case text == "":
		return otherwise, nil
	case strings.ContainsRune(text, 0):
		return "", errors.New("the path holds a NUL byte")
	case text == "~":
		return home, nil
	case strings.HasPrefix(text, "~/"):
		return filepath.Join(home, text[2:]), nil
	case strings.HasPrefix(text, "~"):
		return "", fmt.Errorf("%q: only ~/ is understood, not another user's home", text)
	case filepath.IsAbs(text):
		return filepath.Clean(text), nil
	default:
		return filepath.Join(base, text), nil
	}
}
