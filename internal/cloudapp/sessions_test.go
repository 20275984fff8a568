package cloudapp_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDamagedSessionsAreNoReasonNotToStart(t *testing.T) {
	data := t.TempDir()
	serve(t, data).stop()
	if err := os.WriteFile(filepath.Join(data, "sessions"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := serve(t, data)
	if log := r.stderr.String(); !strings.Contains(log, "sessions are lost") {
		t.Errorf("the log does not say it: %s", log)
	}
	r.stop()
}
