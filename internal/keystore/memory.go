package keystore

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Memory is a Store that keeps nothing on disk: that of simulated devices,
// thousands of which would otherwise exercise this machine's disk.
type Memory struct {
	mu    sync.Mutex
	items map[string][]byte
}

var _ Store = (*Memory)(nil)

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{items: map[string][]byte{}} }

// Clone makes another store with the same items.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{items: maps.Clone(m.items)}
}

// Get implements Store.
func (m *Memory) Get(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.items[name]
	if !ok {
		return nil, fmt.Errorf("cannot read item %s: %w", name, ErrNotFound)
	}
	return slices.Clone(data), nil
}

// Put implements Store.
func (m *Memory) Put(name string, data []byte) error {
	return m.Replace(Change{Put: map[string][]byte{name: data}})
}

// Delete implements Store.
func (m *Memory) Delete(name string) error {
	return m.Replace(Change{Delete: []string{name}})
}

// List implements Store.
func (m *Memory) List() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.items)), nil
}

// Replace implements Store.
func (m *Memory) Replace(change Change) error {
	if err := change.Check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, want := range change.If {
		got, there := m.items[name]
		if there != (want != nil) || !bytes.Equal(got, want) {
			return fmt.Errorf("item %s: %w", name, ErrConflict)
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
