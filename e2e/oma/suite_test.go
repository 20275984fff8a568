package oma

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// wanted are the tests of the specification that concern us.
func wanted() []int {
	var ids []int
	spans := [][2]int{
		{0, 2},
		{4, 4},
		{6, 9},
		{101, 105},
		{107, 109},
		{201, 205},
		{211, 211},
		{215, 215},
		{220, 237},
		{241, 241},
		{256, 257},
		{260, 261},
		{301, 311},
		{401, 401},
	}
	for _, span := range spans {
		for id := span[0]; id <= span[1]; id++ {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestTheSuiteIsWholeAndItsTestsExist(t *testing.T) {
	rows := suite(t)
	for _, id := range wanted() {
		row, ok := rows[id]
		if !ok {
			t.Errorf("suite.md lacks %d", id)
			continue
		}
		service, device, reason := row[2], row[3], row[4]
		if reason == "" && (service == "" || device == "") {
			t.Errorf("%d has no test of one side, and no reason", id)
		}
		for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(service+device, -1) {
			if !exists(t, match[1]) {
				t.Errorf("%d names %s, which is nowhere", id, match[1])
			}
		}
	}
	if len(rows) != len(wanted()) {
		t.Errorf("suite.md has %d rows, want %d", len(rows), len(wanted()))
	}
}

// suite reads the table of suite.md: the cells of each id's row.
func suite(t *testing.T) map[int][]string {
	t.Helper()
	content, err := os.ReadFile("suite.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int][]string{}
	for line := range strings.Lines(string(content)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if id, err := strconv.Atoi(cells[0]); err == nil && len(cells) == 5 {
			rows[id] = cells
		}
	}
	return rows
}

// exists tells whether there is a test: "folder.TestName", or a subtest of
// TestServer by the literal that names it.
func exists(t *testing.T, name string) bool {
	t.Helper()
	if subtest, ok := strings.CutPrefix(name, "TestServer/"); ok {
		return declares(t, "server_test.go", func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			return ok && literal.Value == strconv.Quote(subtest)
		})
	}
	folder, function, _ := strings.Cut(name, ".")
	files, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		found := declares(t, file, func(n ast.Node) bool {
			declared, ok := n.(*ast.FuncDecl)
			return ok && declared.Recv == nil && declared.Name.Name == function
		})
		if found {
			return true
		}
	}
	return false
}

func declares(t *testing.T, file string, is func(ast.Node) bool) (found bool) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		found = found || is(n)
		return !found
	})
	return found
}
