package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mbl/internal/backup"
)

func made(t testing.TB, contents map[string]string) []byte {
	t.Helper()
	dir := t.TempDir()
	var files []backup.File
	for name, content := range contents {
		path := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := backup.Describe(name, path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	var written bytes.Buffer
	if err := backup.Write(&written, "1.0", time.Unix(1, 0), files); err != nil {
		t.Fatal(err)
	}
	return written.Bytes()
}

func openRoot(t testing.TB) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestWhatWasWrittenIsExtracted(t *testing.T) {
	contents := map[string]string{"database": "abc", "empty": "", "images/1/a": "firmware"}
	root := openRoot(t)
	index, err := backup.Extract(bytes.NewReader(made(t, contents)), root)
	if err != nil || index.Program != "1.0" || len(index.Files) != 3 {
		t.Fatalf("extracted %+v, %v", index, err)
	}
	for name, content := range contents {
		got, err := root.ReadFile(name)
		if err != nil || string(got) != content {
			t.Errorf("%s is %q, %v", name, got, err)
		}
		if info, err := root.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestAFileThatChangesWhileItIsBackedUpFailsTheBackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, later := range []string{"other", "four"} {
		if err := os.WriteFile(path, []byte("first"), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := backup.Describe("a", path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(later), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := backup.Write(io.Discard, "1.0", time.Unix(1, 0), []backup.File{file}); err == nil {
			t.Errorf("a backup with %q is made and could not be restored", later)
		}
	}
}

func TestEveryDamageIsNoticed(t *testing.T) {
	whole := made(t, map[string]string{"database": "some content of it"})
	for cut := range whole {
		if _, err := backup.Extract(bytes.NewReader(whole[:cut]), openRoot(t)); !errors.Is(err, backup.ErrDamaged) {
			t.Fatalf("cut off at %d: %v", cut, err)
		}
	}
	const gzipHeader = 10 // says nothing about the content
	for at := gzipHeader; at < len(whole); at++ {
		changed := slices.Clone(whole)
		changed[at] ^= 0x10
		root := openRoot(t)
		if _, err := backup.Extract(bytes.NewReader(changed), root); err == nil { // a bit without a meaning
			if got, err := root.ReadFile("database"); err != nil || string(got) != "some content of it" {
				t.Fatalf("changed at %d: not noticed: %q, %v", at, got, err)
			}
		}
	}
}

// pack makes an archive with an index of one's own.
func pack(t testing.TB, entries ...[2]string) []byte {
	t.Helper()
	var packed bytes.Buffer
	compressed := gzip.NewWriter(&packed)
	archive := tar.NewWriter(compressed)
	for _, entry := range entries {
		err := archive.WriteHeader(&tar.Header{Name: entry[0], Size: int64(len(entry[1])), Mode: 0o600, Typeflag: tar.TypeReg})
		if err == nil {
			_, err = archive.Write([]byte(entry[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

const sumOfA = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"

func indexOf(name string) [2]string {
	return [2]string{"mbl-backup.json", `{"format":1,"files":[{"name":"` + name + `","size":1,"sha256":"` + sumOfA + `"}]}`}
}

func TestAForgedBackupIsRefused(t *testing.T) {
	if _, err := backup.Extract(bytes.NewReader(pack(t, indexOf("a"), [2]string{"a", "a"})), openRoot(t)); err != nil {
		t.Fatalf("the honest one: %v", err)
	}
	for name, forged := range map[string][]byte{
		"out of the folder":   pack(t, indexOf("../a"), [2]string{"../a", "a"}),
		"an absolute path":    pack(t, indexOf("/a"), [2]string{"/a", "a"}),
		"another content":     pack(t, indexOf("a"), [2]string{"a", "b"}),
		"another name":        pack(t, indexOf("a"), [2]string{"b", "a"}),
		"one file too many":   pack(t, indexOf("a"), [2]string{"a", "a"}, [2]string{"b", "b"}),
		"one file too few":    pack(t, indexOf("a")),
		"no index":            pack(t, [2]string{"a", "a"}),
		"something else":      []byte("this is a letter"),
		"a compressed letter": pack(t),
	} {
		if _, err := backup.Extract(bytes.NewReader(forged), openRoot(t)); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	later := pack(t, [2]string{"mbl-backup.json", `{"format":2}`})
	if _, err := backup.Extract(bytes.NewReader(later), openRoot(t)); !errors.Is(err, backup.ErrNewer) {
		t.Errorf("a later form: %v", err)
	}
}

// FuzzExtract takes the archive without its compression, which a change would
// make unreadable.
func FuzzExtract(f *testing.F) {
	for _, packed := range [][]byte{
		made(f, map[string]string{"database": "abc"}), pack(f, indexOf("../a"), [2]string{"../a", "a"}), pack(f),
	} {
		reader, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			f.Fatal(err)
		}
		archive, err := io.ReadAll(reader)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive)
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		var packed bytes.Buffer
		compressed := gzip.NewWriter(&packed)
		if _, err := compressed.Write(archive); err != nil {
			t.Fatal(err)
		}
		if err := compressed.Close(); err != nil {
			t.Fatal(err)
		}
		_, _ = backup.Extract(&packed, openRoot(t))
	})
}
