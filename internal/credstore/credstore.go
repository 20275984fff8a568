// Package credstore keeps the developer's credentials on the workstation, in
// the files of the original command line tool: the user store with API keys
// and update-authority private keys, the team store with certificates, and the
// selected device. It reads what the original wrote and writes what the
// original can read.
//
// The team store may lie on a shared folder, so what it holds is read as if an
// enemy had written it. The package talks to nobody but the file system, and
// decides nothing about which credentials are used; the command line and the
// provisioning brain call it.
package credstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Why a store could not do what was asked. Errors of this package match one
// of these, or are errors of the file system.
var (
	ErrName     = errors.New("unusable name")
	ErrNotFound = errors.New("not in the store")
	ErrExists   = errors.New("already in the store")
	ErrDamaged  = errors.New("damaged")                     // not what this file should be: bad JSON, too large, a link, a pipe …
	ErrChanged  = errors.New("changed since its first use") // the pinned hash differs
	ErrBusy     = errors.New("in use by another process")
	ErrReadOnly = errors.New("you may not write into the store")
	ErrNoSpace  = errors.New("no space is left for the store")
	ErrNoPlace  = errors.New("cannot note where the stores are") // on first use
	ErrKeyring  = errors.New("the operating system's keyring cannot be used")
)

// Config says where the stores are found.
type Config struct {
	Home       string // the user's home folder; "~" stands for it
	StoresFile string // empty: .mbl-stores.json in Home
}

// Stores are the user store and the team store together. They hold no open
// files; every call opens what it needs.
type Stores struct {
	User *UserStore
	Team *TeamStore
}

// Open finds the two stores. On first use it writes the file that names them,
// with the default places, and makes their folders.
func Open(cfg Config) (*Stores, error) {
	places, err := loadPlaces(cfg)
	if err != nil {
		return nil, err
	}
	if err := makeFolder(places.User, userFolderMode); err != nil {
		return nil, fmt.Errorf("cannot make the user store: %w", err)
	}
	if err := makeFolder(places.Team, teamFolderMode); err != nil {
		return nil, fmt.Errorf("cannot make the team store: %w", err)
	}
	if same, err := sameFolder(places.User, places.Team); err != nil || same {
		return nil, errors.Join(err, damaged(storesFile(cfg), "the user store and the team store are one folder; API keys would be shared"))
	}
	return &Stores{User: &UserStore{dir: places.User}, Team: &TeamStore{dir: places.Team}}, nil
}

func sameFolder(one, other string) (bool, error) {
	oneInfo, err := os.Stat(one)
	if err != nil {
		return false, fmt.Errorf("cannot open the user store: %w", err)
	}
	otherInfo, err := os.Stat(other)
	if err != nil {
		return false, fmt.Errorf("cannot open the team store: %w", err)
	}
	return os.SameFile(oneInfo, otherInfo), nil
}

// FileError is a file of a store that is not what it should be. It matches
// ErrDamaged.
type FileError struct {
	Path    string
	Problem string
}

func (e *FileError) Error() string { return e.Path + ": " + e.Problem }

func (e *FileError) Unwrap() error { return ErrDamaged }

func damaged(path, format string, args ...any) error {
	return &FileError{Path: path, Problem: fmt.Sprintf(format, args...)}
}

func storesFile(cfg Config) string {
	if cfg.StoresFile != "" {
		return cfg.StoresFile
	}
	return filepath.Join(cfg.Home, ".mbl-stores.json")
}
