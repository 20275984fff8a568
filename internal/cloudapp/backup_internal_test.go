package cloudapp

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAFileThatVanishesWhileTheFolderIsReadDoesNotFailTheBackup(t *testing.T) {
	f := folder{path: t.TempDir()}
	kept := filepath.Join(f.path, "kept")
	if err := os.WriteFile(kept, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := f.describeNext(nil, kept)
	if err != nil {
		t.Fatal(err)
	}
	files, err = f.describeNext(files, filepath.Join(f.path, "example.com+token+123"))
	if err != nil || len(files) != 1 || files[0].Name != "kept" {
		t.Errorf("it keeps %+v, %v", files, err)
	}
}
