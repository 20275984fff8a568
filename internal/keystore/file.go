package keystore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"mbl/internal/atomicfile"
	"mbl/internal/sealed"
)

const (
	itemsName = "items.json"
	keyName   = "key"
	lockName  = "lock"

	maxItemsFile = 4 << 20
	fileVersion  = 1
)

// File keeps all items in one file, DIR/items.json: a version and, by name,
// the sealed items. One file, because then a rename changes everything at
// once. The names can be read by whoever can read the file, the items cannot
// without DIR/key, which is made at random with the first item.
//
// DIR belongs to File alone; it is made with the first item, for its owner
// only.
type File struct{ dir string }

var _ Store = (*File)(nil)

// document is the content of items.json. An item is a box of internal/sealed
// with the item's name as label.
type document struct {
	Version int               `json:"version"`
	Items   map[string][]byte `json:"items"`
}

// NewFile returns the store in dir. Nothing is read or made yet.
func NewFile(dir string) *File { return &File{dir: dir} }

// Get implements Store.
func (f *File) Get(name string) ([]byte, error) {
	data, err := f.get(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read item %s: %w", name, err)
	}
	return data, nil
}

func (f *File) get(name string) ([]byte, error) {
	doc, err := f.load()
	if err != nil {
		return nil, err
	}
	box, ok := doc.Items[name]
	if !ok {
		return nil, ErrNotFound
	}
	key, err := f.loadKey()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrDamaged
	}
	if err != nil {
		return nil, err
	}
	return open(key, name, box)
}

func open(key *sealed.Key, name string, box []byte) ([]byte, error) {
	data, err := key.Open(box, name)
	if errors.Is(err, sealed.ErrOpen) {
		return nil, ErrDamaged
	}
	return data, err
}

// List implements Store.
func (f *File) List() ([]string, error) {
	doc, err := f.load()
	if err != nil {
		return nil, fmt.Errorf("cannot list items: %w", err)
	}
	return slices.Sorted(maps.Keys(doc.Items)), nil
}

// Put implements Store.
func (f *File) Put(name string, data []byte) error {
	return f.Replace(Change{Put: map[string][]byte{name: data}})
}

// Delete implements Store.
func (f *File) Delete(name string) error {
	return f.Replace(Change{Delete: []string{name}})
}

// Replace implements Store.
func (f *File) Replace(change Change) error {
	if err := change.Check(); err != nil {
		return err
	}
	if err := f.replace(change); err != nil {
		return fmt.Errorf("cannot change the stored items: %w", err)
	}
	return nil
}

func (f *File) replace(change Change) error {
	if err := f.makeDir(); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(f.dir, lockName))
	if err != nil {
		return err
	}
	defer unlock()
	f.removeLeftovers()

	key, err := f.loadOrMakeKey()
	if err != nil {
		return err
	}
	doc, err := f.load()
	if err != nil {
		return err
	}
	if err := check(doc, key, change.If); err != nil {
		return err
	}
	apply(doc, key, change)
	return f.save(doc)
}

func (f *File) makeDir() error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(f.dir, 0o700)
}

// removeLeftovers removes what a killed process was writing.
func (f *File) removeLeftovers() {
	for _, name := range []string{itemsName, keyName} {
		temps, _ := filepath.Glob(filepath.Join(f.dir, "."+name+".tmp-*")) // the pattern is well formed
		for _, temp := range temps {
			_ = os.Remove(temp) // it only wastes space
		}
	}
}

func check(doc *document, key *sealed.Key, condition map[string][]byte) error {
	for name, want := range condition {
		box, present := doc.Items[name]
		if want == nil {
			if present {
				return fmt.Errorf("item %s: %w", name, ErrConflict)
			}
			continue
		}
		got, err := open(key, name, box)
		if err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("item %s: %w", name, ErrConflict)
		}
	}
	return nil
}

func apply(doc *document, key *sealed.Key, change Change) {
	for _, name := range change.Delete {
		delete(doc.Items, name)
	}
	for name, data := range change.Put {
		doc.Items[name] = key.Seal(data, name)
	}
}

func (f *File) load() (*document, error) {
	text, err := readRegular(filepath.Join(f.dir, itemsName), maxItemsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &document{Version: fileVersion, Items: map[string][]byte{}}, nil
	}
	if err != nil {
		return nil, err
	}
	doc := &document{}
	if err := json.Unmarshal(text, doc); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(f.dir, itemsName), ErrDamaged)
	}
	if doc.Version != fileVersion {
		return nil, fmt.Errorf("%s has version %d: %w", filepath.Join(f.dir, itemsName), doc.Version, ErrDamaged)
	}
	if doc.Items == nil {
		doc.Items = map[string][]byte{}
	}
	return doc, nil
}

func (f *File) save(doc *document) error {
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if len(text) > maxItemsFile {
		return fmt.Errorf("%w: the storage is full", ErrInvalid)
	}
	return atomicfile.Write(filepath.Join(f.dir, itemsName), text, 0o600)
}

func (f *File) loadKey() (*sealed.Key, error) {
	raw, err := readRegular(filepath.Join(f.dir, keyName), sealed.KeySize)
	if err != nil {
		return nil, err
	}
	key, err := sealed.NewKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(f.dir, keyName), ErrDamaged)
	}
	return key, nil
}

// loadOrMakeKey is called with the lock held, so no two processes make a key.
func (f *File) loadOrMakeKey() (*sealed.Key, error) {
	key, err := f.loadKey()
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	raw := sealed.Generate()
	if err := atomicfile.Write(filepath.Join(f.dir, keyName), raw, 0o600); err != nil {
		return nil, err
	}
	return sealed.NewKey(raw)
}
