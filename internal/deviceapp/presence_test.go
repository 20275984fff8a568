package deviceapp

import (
	"os"
	"path/filepath"
	"testing"

	"mbl/internal/device"
)

func TestOnlyTheRunningDeviceSaysRegistered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	check := func(when, id string, want bool) {
		t.Helper()
		if got := isRegistered(dir, id); got != want {
			t.Errorf("%s: registered as %q is %v", when, id, got)
		}
	}
	check("before", "device-1", false)
	present, err := announce(dir)
	if err != nil {
		t.Fatal(err)
	}
	check("connecting", "device-1", false)
	if err := present.set(device.State{Registered: true, DeviceID: "device-1"}); err != nil {
		t.Fatal(err)
	}
	check("registered", "device-1", true)
	check("provisioned anew since", "", false)
	check("bootstrapped anew since", "device-2", false)
	if err := present.lock.Close(); err != nil { // what a kill does
		t.Fatal(err)
	}
	check("killed", "device-1", false)
	again, err := announce(dir)
	if err != nil {
		t.Fatal(err)
	}
	check("started again", "device-1", false)
	if err := again.withdraw(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "run.json")); err == nil {
		t.Error("run.json is left after a clean stop")
	}
}

func TestAStrangeRunFileIsNotBelieved(t *testing.T) {
	for name, place := range map[string]func(path string) error{
		"link":    func(path string) error { return os.Symlink("/dev/zero", path) },
		"folder":  func(path string) error { return os.Mkdir(path, 0o755) },
		"huge":    func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o644) },
		"garbage": func(path string) error { return os.WriteFile(path, []byte(`{"registered":tru`), 0o644) },
	} {
		dir := t.TempDir()
		lock, err := os.Create(filepath.Join(dir, "run.lock"))
		if err != nil {
			t.Fatal(err)
		}
		if err := takeLock(lock); err != nil {
			t.Fatal(err)
		}
		if err := place(filepath.Join(dir, "run.json")); err != nil {
			t.Fatal(err)
		}
		if isRegistered(dir, "device-1") {
			t.Errorf("%s: registered", name)
		}
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
