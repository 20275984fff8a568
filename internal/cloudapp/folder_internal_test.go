package cloudapp

import (
	"io"
	"os"
	"strings"
	"testing"

	"mbl/internal/iostreams"
	"mbl/internal/usererr"
)

// Beside a relative folder, a service started from elsewhere would be a new one.
func TestWithoutAHomeTheDataFolderMustBeNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, arguments := range []string{"serve", "audit", "api-key create --name x", "backup ../b"} {
		var said strings.Builder
		code := Main(t.Context(), &iostreams.System{
			Args: strings.Fields(arguments), Out: io.Discard, Err: &said, Getenv: func(string) string { return "" },
		})
		if code != usererr.ExitUsage || !strings.Contains(said.String(), "--data names a folder") {
			t.Errorf("%s: exit code %d: %s", arguments, code, said.String())
		}
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("%v was made, %v", entries, err)
	}
}

func TestAnEmptiedHostsFileDoesNotSendDevicesToLoopback(t *testing.T) {
	f := folder{path: t.TempDir()}
	if err := os.WriteFile(f.hosts(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if hosts, err := f.rememberHosts(""); err == nil || !strings.Contains(err.Error(), "--host") {
		t.Errorf("devices would go to %v; %v", hosts, err)
	}
	if hosts, err := f.rememberHosts("again.example"); err != nil || hosts[0] != "again.example" {
		t.Errorf("with --host: %v, %v", hosts, err)
	}
}
