package cloudapp

import (
	"os"
	"strings"
	"testing"
)

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
