package openssl

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"sync"
	"time"
)

// Memory is a SessionStore in memory that can be saved and loaded as a whole.
type Memory struct {
	most     int
	mu       sync.Mutex
	sessions map[string]savedSession
	changes  uint64
}

var _ SessionStore = (*Memory)(nil)

type savedSession struct {
	Session []byte
	Expires time.Time
}

// NewMemory makes an empty store that keeps a number of sessions at most.
// Beyond it any may be forgotten.
func NewMemory(most int) *Memory {
	return &Memory{most: most, sessions: map[string]savedSession{}}
}

// Session implements SessionStore.
func (m *Memory) Session(_ context.Context, id []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.sessions[string(id)]
	if time.Now().After(found.Expires) {
		return nil, nil
	}
	return found.Session, nil
}

// SaveSession implements SessionStore.
func (m *Memory) SaveSession(_ context.Context, id, session []byte, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.sessions) >= m.most {
		m.makeRoom()
	}
	m.sessions[string(id)] = savedSession{session, expires}
	m.changes++
	return nil
}

// makeRoom forgets what has expired, or else what comes first.
func (m *Memory) makeRoom() {
	m.forgetExpired()
	for id := range m.sessions {
		if len(m.sessions) < m.most {
			return
		}
		delete(m.sessions, id)
	}
}

func (m *Memory) forgetExpired() {
	now := time.Now()
	for id, session := range m.sessions {
		if now.After(session.Expires) {
			delete(m.sessions, id)
		}
	}
}

// DeleteSession implements SessionStore.
func (m *Memory) DeleteSession(_ context.Context, id []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, string(id))
	m.changes++
	return nil
}

// Changes counts what was saved and deleted.
func (m *Memory) Changes() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

// Export returns all sessions for Import. They are secret.
func (m *Memory) Export() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetExpired()
	var encoded bytes.Buffer
	if err := gob.NewEncoder(&encoded).Encode(m.sessions); err != nil {
		return nil, fmt.Errorf("cannot export TLS sessions: %w", err)
	}
	return encoded.Bytes(), nil
}

// Import adds the sessions of an Export, as far as there is room.
func (m *Memory) Import(exported []byte) error {
	var sessions map[string]savedSession
	if err := gob.NewDecoder(bytes.NewReader(exported)).Decode(&sessions); err != nil {
		return fmt.Errorf("cannot import TLS sessions: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, session := range sessions {
		if len(m.sessions) < m.most {
			m.sessions[id] = session
		}
	}
	return nil
}
