package cloud_test

import (
	"errors"
	"testing"

	"mbl/internal/cloud"
)

func TestTheServiceIsNotReadyWhileNothingCanBeWritten(t *testing.T) {
	h := newHouse(t)
	if err := h.ProveWritable(h.ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Ready(h.ctx); err != nil {
		t.Errorf("a healthy service: %v", err)
	}
	full := errors.New("disk is full")
	h.memory.updateFail = full
	if _, err := h.IssueAPIKey(h.ctx, "lost", cloud.Developers); !errors.Is(err, full) {
		t.Fatalf("made a key: %v", err)
	}
	if err := h.Ready(h.ctx); !errors.Is(err, full) {
		t.Errorf("after a change that failed: %v", err)
	}
	if err := h.ProveWritable(h.ctx); !errors.Is(err, full) {
		t.Errorf("proved: %v", err)
	}
	h.memory.updateFail = nil
	if err := h.ProveWritable(h.ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Ready(h.ctx); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

func TestRefusalsDoNotMakeTheServiceUnready(t *testing.T) {
	h := newHouse(t)
	h.certificate("a")
	if _, err := h.CreateDeveloperCertificate(h.ctx, h.who, "a", ""); !errors.Is(err, cloud.ErrConflict) {
		t.Fatalf("a name twice: %v", err)
	}
	if err := h.Ready(h.ctx); err != nil {
		t.Error(err)
	}
}
