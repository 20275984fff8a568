package ssh

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Devices that are met at the same time are all remembered, whole.
func TestKnownHostsLosesNothingToConnectionsAtTheSameTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".ssh", "known_hosts")
	want := map[string]bool{}
	var working sync.WaitGroup
	for i := range 200 {
		line := fmt.Sprintf("192.0.2.%d ssh-ed25519 %s", i, strings.Repeat("A", 68))
		want[line] = true
		working.Go(func() {
			if err := appendLine(file, line); err != nil {
				t.Error(err)
			}
		})
	}
	working.Wait()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	for _, line := range lines {
		delete(want, line)
	}
	if len(lines) != 200 || len(want) > 0 {
		t.Errorf("%d lines, %d of the devices lost", len(lines), len(want))
	}
}
