package house

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A record nobody finds is made a second time.
func TestEveryDecisionIsListed(t *testing.T) {
	list, err := os.ReadFile("docs/decisions/README.md")
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob("docs/decisions/[0-9]*.md")
	if err != nil || len(records) == 0 {
		t.Fatalf("there are no records: %v", err)
	}
	for _, record := range records {
		if !strings.Contains(string(list), "]("+filepath.Base(record)+")") {
			t.Errorf("docs/decisions/README.md does not list %s", filepath.Base(record))
		}
	}
}
