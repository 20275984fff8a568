package device_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mbl/internal/device"
	"mbl/internal/keystore"
)

// killVariables tell a copy of the test binary to provision without end.
const (
	killStore   = "MBL_TEST_PROVISION_STORE"
	killFolders = "MBL_TEST_PROVISION_FOLDERS"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killStore); dir != "" {
		provisionWithoutEnd(dir, filepath.SplitList(os.Getenv(killFolders)))
	}
	os.Exit(m.Run())
}

func provisionWithoutEnd(dir string, folders []string) {
	for {
		for _, folder := range folders {
			if err := device.Provision(keystore.NewFile(dir), device.Folder{Path: folder}); err != nil {
				panic(err)
			}
		}
	}
}

func TestAKilledProvisioningLeavesOneSetOfCredentialsNeverAMix(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keystore")
	store := keystore.NewFile(dir)
	var folders string
	sets := map[string]map[string]string{} // by private key
	for range 2 {
		folder := anyKit(t).folder(t)
		folders += folder.Path + string(os.PathListSeparator)
		must(t, device.Provision(store, folder))
		items := content(t, store)
		delete(items, device.ItemProvisioning)
		sets[items["mbed.BootstrapDevicePrivateKey"]] = items
	}
	self, err := os.Executable()
	must(t, err)
	for range 20 {
		command := exec.Command(self)
		command.Env = append(os.Environ(), killStore+"="+dir, killFolders+"="+folders[:len(folders)-1])
		must(t, command.Start())
		time.Sleep(time.Duration(20+rand.IntN(30)) * time.Millisecond)
		must(t, command.Process.Kill())
		if err := command.Wait(); command.ProcessState.Exited() {
			t.Fatalf("it was not killed: %v", err)
		}
		items := content(t, store)
		delete(items, device.ItemProvisioning)
		if !maps.Equal(items, sets[items["mbed.BootstrapDevicePrivateKey"]]) {
			t.Fatal("the items are not one of the two sets")
		}
	}
	must(t, store.Put("after", nil)) // the lock is free, the leftovers go
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
