package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// goFile is one Go file of the module, parsed.
type goFile struct {
	path string // with slashes, from the module's root
	test bool
	ast  *ast.File
	set  *token.FileSet
	size int // lines
}

func (f goFile) room() string { return roomOf(filepath.ToSlash(filepath.Dir(f.path))) }

func (f goFile) imports() []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, path)
	}
	return paths
}

// roomOf names the room a folder of the module or an import path of it
// belongs to, or "" outside internal/.
func roomOf(path string) string {
	path, inside := strings.CutPrefix(strings.TrimPrefix(path, "mbl/"), "internal/")
	if !inside {
		return ""
	}
	best := ""
	for _, layer := range layers {
		for _, room := range layer.rooms {
			if (path == room || strings.HasPrefix(path, room+"/")) && len(room) > len(best) {
				best = room
			}
		}
	}
	if best == "" {
		return path
	}
	return best
}

// floorOf counts from the top; -1 for a room nobody has placed.
func floorOf(room string) int {
	return slices.IndexFunc(layers, func(l struct {
		name  string
		rooms []string
	},
	) bool {
		return slices.Contains(l.rooms, room)
	})
}

// textFiles calls visit for every file of the project that people write.
func textFiles(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "testdata/vectors"}, path) {
			return filepath.SkipDir
		}
		if entry.Type().IsRegular() {
			visit(filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	textFiles(t, func(path string) {
		if !strings.HasSuffix(path, ".go") {
			return
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		size := set.File(parsed.Pos()).LineCount()
		files = append(files, goFile{path, strings.HasSuffix(path, "_test.go"), parsed, set, size})
	})
	return files
}

func isText(path string) bool {
	return slices.Contains([]string{
		".go", ".md", ".sh", ".txtar", ".yml", ".yaml", ".py", ".js", ".sql", ".json", "",
	}, filepath.Ext(path))
}
