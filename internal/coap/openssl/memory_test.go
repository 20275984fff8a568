package openssl

import (
	"fmt"
	"testing"
	"time"
)

func save(t *testing.T, m *Memory, id string, expires time.Time) {
	t.Helper()
	if err := m.SaveSession(t.Context(), []byte(id), []byte("session "+id), expires); err != nil {
		t.Fatal(err)
	}
}

func knows(t *testing.T, m *Memory, id string) bool {
	t.Helper()
	session, err := m.Session(t.Context(), []byte(id))
	if err != nil {
		t.Fatal(err)
	}
	if session != nil && string(session) != "session "+id {
		t.Fatalf("%s is %q", id, session)
	}
	return session != nil
}

func TestSavedSessionsOutliveTheMemory(t *testing.T) {
	before := NewMemory(10)
	later := time.Now().Add(time.Hour)
	save(t, before, "a", later)
	save(t, before, "b", later)
	save(t, before, "expired", time.Now().Add(-time.Second))
	if err := before.DeleteSession(t.Context(), []byte("b")); err != nil {
		t.Fatal(err)
	}
	exported, err := before.Export()
	if err != nil {
		t.Fatal(err)
	}
	after := NewMemory(10)
	if err := after.Import(exported); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"a": true, "b": false, "expired": false, "never": false} {
		if knows(t, after, id) != want {
			t.Errorf("%s: known %v", id, !want)
		}
	}
	if before.Changes() != 4 || after.Changes() != 0 {
		t.Errorf("%d and %d changes", before.Changes(), after.Changes())
	}
}

func TestFullMemoryForgetsTheExpiredFirst(t *testing.T) {
	m := NewMemory(3)
	later := time.Now().Add(time.Hour)
	save(t, m, "a", later)
	save(t, m, "expired", time.Now().Add(-time.Second))
	save(t, m, "b", later)
	save(t, m, "c", later)
	if !knows(t, m, "a") || !knows(t, m, "b") || !knows(t, m, "c") {
		t.Error("forgot one too many")
	}
	for i := range 10 {
		id := fmt.Sprint("more ", i)
		save(t, m, id, later)
		if !knows(t, m, id) || len(m.sessions) != 3 {
			t.Fatalf("%d sessions", len(m.sessions))
		}
	}
}

func TestRubbishIsNotImported(t *testing.T) {
	m := NewMemory(3)
	if err := m.Import([]byte("rubbish")); err == nil || len(m.sessions) != 0 {
		t.Errorf("%v, %d sessions", err, len(m.sessions))
	}
}
