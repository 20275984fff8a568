package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResultsReplaceWhatStoodBetweenTheMarkers(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	old := "# Title\n" + beginMarker + "\nold\n" + endMarker + "\nthe end\n"
	if err := os.WriteFile(page, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	slow := result{what: "thing", ratio: 2, goal: atMost(1)}
	if err := writeInto(page, []result{slow}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	got := string(content)
	if !strings.HasPrefix(got, "# Title\n") || !strings.HasSuffix(got, "\nthe end\n") || strings.Contains(got, "old") {
		t.Errorf("page is now %q", got)
	}
	if !strings.Contains(got, "| thing |") || !strings.Contains(got, "**no**") {
		t.Errorf("page does not tell the result: %q", got)
	}
}

func TestPageWithoutMarkersStaysAsItIs(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeInto(page, nil); err == nil {
		t.Error("wrote into a page without markers")
	}
	if content, err := os.ReadFile(page); err != nil || string(content) != "words\n" {
		t.Errorf("page is now %q, %v", content, err)
	}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		goal  goal
		ratio float64
		met   bool
	}{
		{atMost(1.5), 1.5, true},
		{atMost(1.5), 1.6, false},
		{atLeast(0.5), 0.5, true},
		{atLeast(0.5), 0.4, false},
	} {
		if got := c.goal.met(c.ratio); got != c.met {
			t.Errorf("%v met by %v: %v", c.goal, c.ratio, got)
		}
	}
}
