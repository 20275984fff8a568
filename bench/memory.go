package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"

	"mbl/internal/keystore"
)

// memory is a device's storage that keeps nothing on disk, so that hundreds
// of simulated devices do not measure this machine's disk.
type memory struct {
	mu    sync.Mutex
	items map[string][]byte
}

var _ keystore.Store = (*memory)(nil)

func newMemory() *memory { return &memory{items: map[string][]byte{}} }

// clone makes another device with the same items.
func (m *memory) clone() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memory{items: maps.Clone(m.items)}
}

func (m *memory) Get(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.items[name]
	if !ok {
		return nil, fmt.Errorf("cannot read item %s: %w", name, keystore.ErrNotFound)
	}
	return slices.Clone(data), nil
}

func (m *memory) Put(name string, data []byte) error {
	return m.Replace(keystore.Change{Put: map[string][]byte{name: data}})
}

func (m *memory) Delete(name string) error {
	return m.Replace(keystore.Change{Delete: []string{name}})
}

func (m *memory) List() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.items)), nil
}

func (m *memory) Replace(change keystore.Change) error {
	if err := change.Check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, want := range change.If {
		got, there := m.items[name]
		if there != (want != nil) || !bytes.Equal(got, want) {
			return fmt.Errorf("item %s: %w", name, keystore.ErrConflict)
		}
	}
	for _, name := range change.Delete {
		delete(m.items, name)
	}
	for name, data := range change.Put {
		m.items[name] = slices.Clone(data)
	}
	return nil
}
