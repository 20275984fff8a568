package cloudapp_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// emptyBut fails the test unless a folder holds just these entries.
func emptyBut(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	if strings.Join(found, " ") != strings.Join(names, " ") {
		t.Errorf("%s holds %v instead of %v", dir, found, names)
	}
}

func TestABackupOfARunningServiceHoldsAllThatWasAnswered(t *testing.T) {
	r := serve(t, t.TempDir(), "--host", "cloud.example")
	certificate := r.must("POST", "/v3/developer-certificates", `{"name":"a"}`, 201)
	answered := make(chan string)
	var writers sync.WaitGroup
	for range 3 {
		writers.Go(func() { createUntilKilled(r, answered) })
	}
	var before []string
	for id := range answered {
		if before = append(before, id); len(before) == 20 {
			break
		}
	}
	go func() {
		for range answered {
		}
	}()
	place := t.TempDir()
	file := filepath.Join(place, "backup")
	for range 2 { // the second takes the first one's place
		if code, stdout, stderr := run(t, "backup", file, "--data", r.data); code != 0 || stdout != "" {
			t.Fatalf("backup exits with %d: %s%s", code, stdout, stderr)
		}
	}
	r.kill()
	writers.Wait()
	close(answered)
	emptyBut(t, place, "backup")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %v, %v", info.Mode(), err)
	}

	data := filepath.Join(t.TempDir(), "restored")
	if code, _, stderr := run(t, "restore", file, "--data", data); code != 0 {
		t.Fatalf("restore exits with %d: %s", code, stderr)
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
	again := serve(t, data)
	again.key = r.key
	for _, id := range before {
		again.must("GET", "/v3/api-keys/"+id, "", 200)
	}
	got := again.must("GET", "/v3/developer-certificates/"+fmt.Sprint(certificate["id"]), "", 200)
	if got["developer_private_key"] != certificate["developer_private_key"] {
		t.Error("the developer certificate has another key")
	}
	if !strings.Contains(again.addresses.Bootstrap, "cloud.example") {
		t.Errorf("devices would go to %s", again.addresses.Bootstrap)
	}
	again.stop()
}

func madeBackup(t *testing.T) (file string) {
	t.Helper()
	r := serve(t, t.TempDir())
	r.stop()
	file = filepath.Join(t.TempDir(), "backup")
	if code, _, stderr := run(t, "backup", file, "--data", r.data); code != 0 {
		t.Fatalf("backup exits with %d: %s", code, stderr)
	}
	return file
}

// Systemd makes /var/lib/mbl-cloud a link where the service has a user of its
// own, and some keep the seal key on another disk.
func TestABackupFollowsLinks(t *testing.T) {
	r := serve(t, t.TempDir())
	r.stop()
	key, moved := filepath.Join(r.data, "seal.key"), filepath.Join(t.TempDir(), "key")
	data := filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Rename(key, moved), os.Symlink(moved, key), os.Symlink(r.data, data)); err != nil {
		t.Fatal(err)
	}
	file, restored := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
	if code, _, stderr := run(t, "backup", file, "--data", data); code != 0 {
		t.Fatalf("backup exits with %d: %s", code, stderr)
	}
	if code, _, stderr := run(t, "restore", file, "--data", restored); code != 0 {
		t.Fatalf("restore exits with %d: %s", code, stderr)
	}
	serve(t, restored).stop()
}

func TestABackupWithoutTheSealKeyIsNone(t *testing.T) {
	r := serve(t, t.TempDir())
	r.stop()
	place := t.TempDir()
	if err := os.Remove(filepath.Join(r.data, "seal.key")); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t, "backup", filepath.Join(place, "backup"), "--data", r.data)
	if code != 1 || !strings.Contains(stderr, "seal.key is missing") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	emptyBut(t, place)
}

func TestADamagedBackupLeavesNothingRestored(t *testing.T) {
	file := madeBackup(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	middle := []byte(string(whole))
	middle[len(middle)/2] ^= 1
	for name, content := range map[string][]byte{
		"cut off": whole[:len(whole)-9], "half": whole[:len(whole)/2], "changed": middle, "empty": {}, "a letter": []byte("Dear"),
	} {
		damaged := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(damaged, content, 0o600); err != nil {
			t.Fatal(err)
		}
		parent := t.TempDir()
		code, _, stderr := run(t, "restore", damaged, "--data", filepath.Join(parent, "new"))
		if code != 1 || !strings.Contains(stderr, "nothing was restored") || strings.Count(stderr, "\n") != 2 {
			t.Errorf("%s: exit code %d: %s", name, code, stderr)
		}
		emptyBut(t, parent)
		if run(t, "restore", damaged, "--data", parent); err != nil {
			t.Error(err)
		}
		emptyBut(t, parent)
	}
}

func TestRestoreTouchesNoFolderInUse(t *testing.T) {
	file := madeBackup(t)
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t, "restore", file, "--data", data)
	if code != 1 || !strings.Contains(stderr, "is not empty") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	emptyBut(t, data, "mine")
}

func TestNothingServesAHalfRestoredFolder(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "restore-unfinished"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{{"serve"}, {"api-key", "create", "--name", "n"}, {"backup", filepath.Join(t.TempDir(), "b")}} {
		code, _, stderr := run(t, append(arguments, "--data", data)...)
		if code != 1 || !strings.Contains(stderr, "was broken off") {
			t.Errorf("%v: exit code %d: %s", arguments, code, stderr)
		}
	}
	emptyBut(t, data, "restore-unfinished")
}

func TestABackupReplacesNothingElse(t *testing.T) {
	r := serve(t, t.TempDir())
	r.stop()
	for _, file := range []string{filepath.Join(r.data, "backup"), t.TempDir(), filepath.Join(t.TempDir(), "missing", "backup")} {
		if code, _, stderr := run(t, "backup", file, "--data", r.data); code != 1 {
			t.Errorf("to %s: exit code %d: %s", file, code, stderr)
		}
	}
	if code, _, stderr := run(t, "backup", filepath.Join(t.TempDir(), "b"), "--data", t.TempDir()); code != 1 || !strings.Contains(stderr, "no service") {
		t.Errorf("of nothing: exit code %d: %s", code, stderr)
	}
}

func TestANewerDatabaseIsNamedAsSuch(t *testing.T) {
	r := serve(t, t.TempDir())
	r.stop()
	makeNewer(t, filepath.Join(r.data, "mbl-cloud.db"))
	code, _, stderr := run(t, append([]string{"serve", "--data", r.data}, anyPort...)...)
	if code != 1 || !strings.Contains(stderr, "changed by a newer mbl-cloud") {
		t.Errorf("serve exits with %d: %s", code, stderr)
	}
	file := filepath.Join(t.TempDir(), "backup")
	if code, _, stderr := run(t, "backup", file, "--data", r.data); code != 0 {
		t.Fatalf("backup exits with %d: %s", code, stderr)
	}
	parent := t.TempDir()
	code, _, stderr = run(t, "restore", file, "--data", filepath.Join(parent, "new"))
	if code != 1 || !strings.Contains(stderr, "made by a newer mbl-cloud; nothing was restored") {
		t.Errorf("restore exits with %d: %s", code, stderr)
	}
	emptyBut(t, parent)
}
