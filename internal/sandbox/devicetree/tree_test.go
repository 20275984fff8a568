package devicetree_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/sandbox/devicetree"
)

// host is a folder with a device's tree and, beside it, a file nobody on the
// device may see.
func host(t *testing.T) (tree *devicetree.Tree, treeDir, outside string) {
	t.Helper()
	dir := t.TempDir()
	outside = filepath.Join(dir, "outside")
	if err := os.MkdirAll(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("host"), 0o600); err != nil {
		t.Fatal(err)
	}
	treeDir = filepath.Join(dir, "device")
	tree, err := devicetree.Open(treeDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree, treeDir, outside
}

func TestPathsStayInside(t *testing.T) {
	tree, treeDir, outside := host(t)
	for link, target := range map[string]string{
		"absolute": outside,
		"relative": "../outside",
		"etc":      "/etc",
		"proc":     "/proc/self/root",
	} {
		if err := os.Symlink(target, filepath.Join(treeDir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{
		"../outside/secret", "/../../outside/secret", outside + "/secret",
		"/absolute/secret", "/relative/secret", "/etc/passwd", "/proc/etc/passwd",
		"/proc/self/environ", "a/../../outside/secret",
	} {
		t.Run(path, func(t *testing.T) {
			if data, err := tree.ReadFile(path); err == nil {
				t.Errorf("read %q", data)
			}
			if _, err := tree.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
				t.Error("could create a file beside it")
			}
			if err := tree.RemoveAll(path); err == nil {
				if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
					t.Error("the host's file is gone")
				}
			}
		})
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Errorf("the host's folder now holds %v, %v", entries, err)
	}
}

func TestErrorsNameTheDevicesPath(t *testing.T) {
	tree, treeDir, _ := host(t)
	_, err := tree.ReadFile("/scratch/none")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want a missing file", err)
	}
	if !strings.Contains(err.Error(), " /scratch/none:") || strings.Contains(err.Error(), treeDir) {
		t.Errorf("got %q", err)
	}
}

func TestTheTopCannotBeRemoved(t *testing.T) {
	tree, treeDir, _ := host(t)
	if err := tree.WriteFile("/kept", []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "", ".", "/..", "a/.."} {
		if err := tree.RemoveAll(path); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("RemoveAll(%q) = %v", path, err)
		}
	}
	info, err := os.Stat(filepath.Join(treeDir, "kept"))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

func TestNullDeviceTakesEverything(t *testing.T) {
	tree, treeDir, _ := host(t)
	f, err := tree.OpenFile("/dev/null", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("gone"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(treeDir, "dev")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("writing to /dev/null made a file")
	}
}
