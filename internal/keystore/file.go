package keystore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"mbl/internal/atomicfile"
	"mbl/internal/regularfile"
	"mbl/internal/sealed"
)

const (
	itemsName = "items.json"
	lockName  = "lock"

	maxItemsFile = 4 << 20
	fileVersion  = 1
)

// File keeps all items in one file, DIR/items.json: a version and, by name,
// the sealed items. One file, because then a rename changes everything at
// once. The names can be read by whoever can read the file, the items cannot
// without their key, which is made at random with the first item and kept in
// DIR/key, or in DIR/key.tpm as a TPM has sealed it.
//
// DIR belongs to File alone; it is made with the first item, for its owner
// only.
type File struct {
	dir string
	tpm string // path of the TPM; empty: that of the sealed key, if it is sealed

	mu     sync.Mutex
	box    []byte      // a sealed key
	opened *sealed.Key // what it holds
}

var _ Store = (*File)(nil)

// document is the content of items.json. An item is a box of internal/sealed
// with the item's name as label.
type document struct {
	Version int               `json:"version"`
	Items   map[string][]byte `json:"items"`
}

// NewFile returns the store in dir. Nothing is read or made yet. A key that a
// TPM has sealed is opened by that TPM.
func NewFile(dir string) *File { return &File{dir: dir} }

// NewFileWithTPM returns the store in dir, whose key, if it has none yet, will
// be sealed to the TPM at path: a device, or the Unix socket of a software
// TPM. A key that lies in a file stays there until Protect.
func NewFileWithTPM(dir, path string) *File { return &File{dir: dir, tpm: path} }

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

// makeDir makes the folder where it is missing, for the owner of the folder it
// lies in: root provisions a device whose service is not root. A symbolic link
// is refused, because that service could have put it there.
func (f *File) makeDir() error {
	if err := os.MkdirAll(filepath.Dir(f.dir), 0o700); err != nil {
		return err
	}
	made := os.Mkdir(f.dir, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return made
	}
	dir, err := os.OpenFile(f.dir, regularfile.OpenFlags|regularfile.NoFollow, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	if info, err := dir.Stat(); err != nil || !info.IsDir() {
		return cmp.Or(err, error(&fs.PathError{Op: "open", Path: f.dir, Err: syscall.ENOTDIR}))
	}
	if err := dir.Chmod(0o700); err != nil {
		return err
	}
	if made == nil {
		return atomicfile.GiveToOwnerOf(filepath.Dir(f.dir), dir)
	}
	return nil
}

// removeLeftovers removes what a killed process was writing.
func (f *File) removeLeftovers() {
	for _, name := range []string{itemsName, keyName, sealedKeyName} {
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
	return atomicfile.WriteForFolder(filepath.Join(f.dir, itemsName), text, 0o600)
}
