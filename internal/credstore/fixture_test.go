package credstore_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mbl/internal/credential"
	"mbl/internal/credstore"
)

func open(t *testing.T, home string) *credstore.Stores {
	t.Helper()
	stores, err := credstore.Open(credstore.Config{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	return stores
}

func developer(t *testing.T) *credential.Developer {
	t.Helper()
	source, err := os.ReadFile("../../testdata/vectors/mbed_cloud_dev_credentials.example.c")
	if err != nil {
		t.Fatal(err)
	}
	dev, err := credential.ParseDeveloper(source)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func update(t *testing.T) *credential.Update {
	t.Helper()
	source, err := os.ReadFile("../../testdata/vectors/manifest-tool-2.6.2/update_default_resources.c")
	if err != nil {
		t.Fatal(err)
	}
	found, err := credential.ParseUpdate(source)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func readJSON(t *testing.T, path string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(read(t, path)), &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// tree lists everything below dir, so that a test can see what is left behind.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			rel, relErr := filepath.Rel(dir, path)
			if relErr != nil {
				return relErr
			}
			paths = append(paths, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// putEntry writes an entry as the original tool does: plain files.
func putEntry(t *testing.T, team, name string, vars []credential.Variable) {
	t.Helper()
	for _, v := range vars {
		write(t, filepath.Join(team, name, v.Name+".bin"), string(v.Data))
	}
}
