package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestEachDefectOfTheOriginalHasItsTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/original-defects.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		if !regexp.MustCompile(`^\| \d`).MatchString(line) {
			continue
		}
		rows++
		cells := strings.Split(line, "|")
		named := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[len(cells)-2], -1)
		if len(named) == 0 {
			t.Errorf("no test: %s", line)
		}
		for _, test := range named {
			if !testExists(t, test[1]) {
				t.Errorf("there is no %s: %s", test[1], line)
			}
		}
	}
	if rows != 17 {
		t.Errorf("%d defects", rows)
	}
}

// testExists looks for package.TestName, or for a script.
func testExists(t *testing.T, name string) bool {
	t.Helper()
	if strings.HasPrefix(name, "testdata/") {
		_, err := os.Stat(name)
		return err == nil
	}
	folder, function, _ := strings.Cut(name, ".")
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "func "+function+"(t *testing.T)") {
			return true
		}
	}
	return false
}
