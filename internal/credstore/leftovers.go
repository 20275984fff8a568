package credstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

const (
	newPrefix = ".new-" // an entry being written
	oldPrefix = ".old-" // an entry being deleted
)

// removeLeftovers removes what a killed process left in the store. The caller
// holds the lock, so nobody is working on these.
func removeLeftovers(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := namesIn(root)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !isLeftover(name) {
			continue
		}
		if err := root.RemoveAll(name); err != nil {
			return fmt.Errorf("cannot remove what was left half-written: %w", err)
		}
	}
	return nil
}

func isLeftover(name string) bool {
	return strings.HasPrefix(name, newPrefix) ||
		strings.HasPrefix(name, oldPrefix) ||
		strings.HasPrefix(name, "."+configFile+".tmp-")
}

// temporaryName is how Python's tempfile calls a folder; earlier versions of the
// original called theirs tmp.
var temporaryName = regexp.MustCompile(`^tmp([a-z0-9_]{8})?$`)

// isOriginalsTemporary recognises the folder in which the original tool writes
// config.json anew: it may be at it, or have been killed. It is left alone.
func isOriginalsTemporary(store *os.Root, name string) bool {
	if !temporaryName.MatchString(name) {
		return false
	}
	folder, err := store.OpenRoot(name)
	if err != nil {
		return false
	}
	defer folder.Close()
	files, err := namesIn(folder)
	return err == nil && !slices.ContainsFunc(files, func(file string) bool { return file != configFile })
}

const maxNames = 10000

// namesIn lists a folder of the store.
func namesIn(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxNames + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("cannot list %s: %w", root.Name(), err)
	}
	if len(names) > maxNames {
		return nil, damaged(root.Name(), "it holds more than %d files", maxNames)
	}
	return names, nil
}
