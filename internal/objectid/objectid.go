// Package objectid makes and reads the ids of the REST API: 32 lower-case hex
// digits that sort by creation time (accounts, keys, certificates, devices …).
//
// Layout, as in the original service's ids: 6 bytes Unix time in milliseconds,
// 6 bytes node, 4 bytes counter, all big-endian. The node is random here and
// chosen once per Source, so two processes do not collide.
package objectid

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// Length is the number of hex digits of an id.
const Length = 32

// Source makes ids. It is safe for concurrent use.
type Source struct {
	now  func() time.Time
	node [6]byte

	mu      sync.Mutex
	last    int64
	counter uint32
}

// NewSource makes a Source that reads the time from now.
func NewSource(now func() time.Time) *Source {
	s := &Source{now: now}
	rand.Read(s.node[:]) // never fails: crypto/rand aborts the program instead
	s.node[0] |= 0x03    // locally administered, multicast: never a real network card's address
	return s
}

// New makes an id that is greater than every id this Source made before.
func (s *Source) New() string {
	milliseconds, counter := s.next()
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(milliseconds)<<16)
	copy(id[6:12], s.node[:])
	binary.BigEndian.PutUint32(id[12:], counter)
	return hex.EncodeToString(id[:])
}

func (s *Source) next() (milliseconds int64, counter uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now().UnixMilli(); now > s.last {
		s.last, s.counter = now, 0
	} else {
		s.counter++
	}
	return s.last, s.counter
}

// Normalize reads an id as people and clients write it: upper case and dashes
// are accepted. ok is false if it is not 32 hex digits.
func Normalize(text string) (id string, ok bool) {
	id = strings.ToLower(strings.ReplaceAll(text, "-", ""))
	if len(id) != Length {
		return "", false
	}
	if _, err := hex.DecodeString(id); err != nil {
		return "", false
	}
	return id, true
}

// First is the least id that a Source can make at a time, or later: those of
// earlier times are less. Times before 1970 are taken for 1970.
func First(at time.Time) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(max(at.UnixMilli(), 0))<<16)
	return hex.EncodeToString(id[:])
}
