package credstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Condition is what state a store's folder is in.
type Condition struct {
	Path      string
	Exposed   []string // files and folders that people may read who must not
	Leftovers []string // what a killed process left half-written or half-deleted
}

// Examine looks at the user store's files and changes nothing. What others
// may open is exposed: everything in it is this person's alone. The error is
// why the store cannot be read.
func (u *UserStore) Examine() (Condition, error) {
	if _, err := u.ChosenAPIKey(); err != nil && !errors.Is(err, ErrNotFound) {
		return Condition{Path: u.dir}, err
	}
	return examine(u.dir, func(string) fs.FileMode { return 0o077 })
}

// Examine looks at the team store's files and changes nothing. Private keys
// that people outside the team may read are exposed. The error is why the
// store cannot be read.
func (t *TeamStore) Examine() (Condition, error) {
	if _, _, err := t.readCerts(); err != nil {
		return Condition{Path: t.dir}, err
	}
	return examine(t.dir, func(path string) fs.FileMode {
		if strings.Contains(filepath.Base(path), "PRIVATE_KEY") {
			return 0o007
		}
		return 0
	})
}

// examine walks a store; forbidden are the rights a path must not give. Below
// a folder that others cannot enter nothing is exposed to them.
func examine(dir string, forbidden func(path string) fs.FileMode) (Condition, error) {
	condition := Condition{Path: dir}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxNames {
			return damaged(dir, "it holds more than %d files", maxNames)
		}
		if path != dir && isLeftover(entry.Name()) {
			condition.Leftovers = append(condition.Leftovers, path)
			return skip(entry)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		wrong := info.Mode().Perm() & forbidden(path)
		if wrong != 0 && info.Mode().Type() != fs.ModeSymlink && wrong&comers(dir, path) != 0 {
			condition.Exposed = append(condition.Exposed, path)
		}
		return nil
	})
	if err != nil {
		return condition, fmt.Errorf("cannot look through %s: %w", dir, err)
	}
	return condition, nil
}

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// comers are the rights of those who can get to a path, as a mask: the group's,
// others', or both, depending on which of its folders they can enter. Rights of
// this kind mean nothing on Windows.
func comers(dir, path string) fs.FileMode {
	if runtime.GOOS == "windows" {
		return 0
	}
	enter := fs.FileMode(0o011)
	for path != dir {
		path = filepath.Dir(path)
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		enter &= info.Mode().Perm()
	}
	return enter * 7
}
