//go:build unix

package device_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"mbl/internal/device"
)

func TestFilesThatAreNoFilesAreRefused(t *testing.T) {
	const variable = "MBED_CLOUD_DEV_MANUFACTURER"
	for thing, place := range map[string]func(path string) error{
		"link":   func(path string) error { return os.Symlink("/etc/hostname", path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o755) },
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"huge":   func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o600) },
	} {
		store, folder := newStore(t), anyKit(t).with(variable, nil).folder(t)
		must(t, place(filepath.Join(folder.Path, variable+".bin")))
		var input *device.InputError
		if err := device.Provision(store, folder); !errors.As(err, &input) || len(input.Developer) != 1 {
			t.Errorf("%s: %v, want an InputError", thing, err)
		}
	}
}
