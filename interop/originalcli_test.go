//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"testing"

	"mbl/e2e/stage"
)

// TestTheOriginalCLIsWay provisions a virtual device the way the original
// mbl-cli does, with the libraries it is made of.
func TestTheOriginalCLIsWay(t *testing.T) {
	service, key := startService(t)
	dir := t.TempDir()
	device, err := stage.StartDevice(bin(t, "mbl-sandbox"), "original", filepath.Join(dir, "root"), stage.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { device.Stop() })
	script, err := filepath.Abs("originalcli/conversation.py")
	if err != nil {
		t.Fatal(err)
	}
	update, err := filepath.Abs("../testdata/vectors/manifest-tool-1.4.8/update_default_resources.c")
	if err != nil {
		t.Fatal(err)
	}
	command := []string{cache("originalcli/bin/python"), script}
	converse(t, command, dir, append(os.Environ(), "MBED_CLOUD_SDK_HOST="+service.HTTP, "API_KEY="+key,
		"DEVICE="+device.Address, "UPDATE="+update, "HOME="+t.TempDir()))
}
