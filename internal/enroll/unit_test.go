package enroll

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unit writes the service's unit as it would lie on a board where a program
// exists.
func unit(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mbl-device.service")
	if err := os.WriteFile(path, []byte(strings.NewReplacer(programFile, "/bin/true", "@ANNOUNCE@", " --announce 22").Replace(unitText)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSystemdUnderstandsTheUnit(t *testing.T) {
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit(t)).CombinedOutput()
	if err != nil || strings.Contains(string(out), "mbl-device.service") {
		t.Errorf("%v: %s", err, out)
	}
}

// Below 2 systemd calls a service's exposure "OK", its best word but one.
func TestTheUnitGivesAwayLittle(t *testing.T) {
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit(t)).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
