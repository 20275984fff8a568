package credstore

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mbl/internal/credential"
)

const (
	maxEntryFiles    = 256
	maxVariable      = 64 << 10 // bytes
	maxEntry         = 64 << 10 // bytes of all variables together; a true entry has about 4 KiB
	maxListed        = 64 << 20 // bytes of all entries together
	variableFileType = ".bin"
)

// TeamStore is the folder with the certificates that a team shares.
type TeamStore struct{ dir string }

// Path is the store's folder.
func (t *TeamStore) Path() string { return t.dir }

// Kind is what an entry of the team store is for.
type Kind string

// The kinds of certificate.
const (
	KindDeveloper Kind = "developer"
	KindUpdate    Kind = "update"
)

func kinds() []Kind { return []Kind{KindDeveloper, KindUpdate} }

// has tells whether a variable belongs to certificates of this kind.
func (k Kind) has(variable string) bool {
	if k == KindDeveloper {
		return credential.IsDeveloperVariable(variable)
	}
	return credential.IsUpdateVariable(variable)
}

// in tells whether there is a variable of this kind.
func (k Kind) in(vars map[string][]byte) bool {
	for name := range vars {
		if k.has(name) {
			return true
		}
	}
	return false
}

// Entry is one name in the team store with what can be read of it. The
// original kept a developer and an update certificate of one name together,
// so both may be there.
type Entry struct {
	Name      string
	Developer *credential.Developer // nil if there is none
	Update    *credential.Update    // nil if there is none
	Changed   bool                  // differs from what this person used first
	Problem   error                 // why something in it could not be read
}

// List reads all entries, sorted by name. An entry that cannot be read is
// listed with its Problem. Nothing is pinned: looking is not using.
func (s *Stores) List() ([]Entry, error) {
	known, err := s.User.readPins()
	if err != nil {
		return nil, fmt.Errorf("cannot tell what has changed in the team store: %w", err)
	}
	entries, err := s.Team.list(known[s.Team.dir])
	if err != nil {
		return nil, fmt.Errorf("cannot list the team store: %w", err)
	}
	return entries, nil
}

// list reads every entry that has a folder or is named in config.json.
func (t *TeamStore) list(known map[string]string) ([]Entry, error) {
	names, err := t.entryNames()
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(names))
	size := 0
	for _, name := range names {
		entry, read := t.look(name, known)
		if size += read; size > maxListed {
			return nil, damaged(t.dir, "its entries hold more than %d bytes", maxListed)
		}
		entries = append(entries, entry)
	}
	for _, name := range t.namedWithoutFolder(names) {
		entries = append(entries, Entry{Name: name, Problem: &FileError{
			Path:    filepath.Join(t.dir, name),
			Problem: configFile + " names it, but its folder is missing: is the store still being copied here?",
		}})
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// namedWithoutFolder are the names in config.json that have no folder. A
// config.json that cannot be read names nothing: entries are read without it.
func (t *TeamStore) namedWithoutFolder(folders []string) []string {
	_, certs, err := t.readCerts()
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(sortedNames(certs), func(name string) bool {
		_, found := slices.BinarySearch(folders, name)
		return found || CheckName(name) != nil
	})
}

func sortedNames(certs map[string][]string) []string { return slices.Sorted(maps.Keys(certs)) }

// look reads one entry, and says how many bytes that were.
func (t *TeamStore) look(name string, known map[string]string) (entry Entry, size int) {
	vars, err := t.readEntry(name)
	if err != nil {
		return Entry{Name: name, Problem: err}, 0
	}
	entry = newEntry(name, vars)
	for _, kind := range kinds() {
		pin := known[pinName(kind, name)]
		entry.Changed = entry.Changed || (pin != "" && pin != pinOf(kind, vars))
	}
	for _, data := range vars {
		size += len(data)
	}
	return entry, size
}

// newEntry makes out of an entry's files what they are.
func newEntry(name string, vars map[string][]byte) Entry {
	entry := Entry{Name: name}
	if KindDeveloper.in(vars) {
		entry.Developer, entry.Problem = credential.DeveloperFromVariables(vars)
	}
	if KindUpdate.in(vars) {
		update, err := credential.UpdateFromVariables(vars)
		entry.Update, entry.Problem = update, errors.Join(entry.Problem, err)
	}
	if len(vars) == 0 {
		entry.Problem = fmt.Errorf("%w: it holds no certificate", ErrDamaged)
	}
	return entry
}

// entryNames lists the folders that can be entries.
func (t *TeamStore) entryNames() ([]string, error) {
	root, err := os.OpenRoot(t.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	all, err := namesIn(root)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(all, func(name string) bool {
		info, err := root.Lstat(name)
		return CheckName(name) != nil || err != nil || !info.IsDir() || isOriginalsTemporary(root, name)
	})
	slices.Sort(names)
	return names, nil
}

// readEntry reads an entry's known variables, each by its own name below the
// store: whatever paths config.json states are not looked at.
func (t *TeamStore) readEntry(name string) (map[string][]byte, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	store, err := os.OpenRoot(t.dir)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := t.checkFolder(store, name); err != nil {
		return nil, err
	}
	entry, err := store.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	defer entry.Close()
	return readVariables(entry)
}

// checkFolder tells whether an entry is there and is a folder, not a link.
func (t *TeamStore) checkFolder(store *os.Root, name string) error {
	info, err := store.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return damaged(filepath.Join(t.dir, name), "it is not a folder")
	}
	return nil
}

func readVariables(entry *os.Root) (map[string][]byte, error) {
	files, err := namesIn(entry)
	if err != nil {
		return nil, err
	}
	if len(files) > maxEntryFiles {
		return nil, damaged(entry.Name(), "it holds more than %d files", maxEntryFiles)
	}
	vars, size := map[string][]byte{}, 0
	for _, file := range files {
		name, ok := strings.CutSuffix(file, variableFileType)
		if !ok || !(KindDeveloper.has(name) || KindUpdate.has(name)) {
			continue
		}
		if vars[name], err = readVariable(entry, file); err != nil {
			return nil, err
		}
		if size += len(vars[name]); size > maxEntry {
			return nil, damaged(entry.Name(), "it holds more than %d bytes", maxEntry)
		}
	}
	return vars, nil
}

func readVariable(entry *os.Root, file string) ([]byte, error) {
	info, err := entry.Lstat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, damaged(filepath.Join(entry.Name(), file), "it is not a regular file")
	}
	return readInside(entry, file, maxVariable)
}
