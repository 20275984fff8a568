package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A dry run says what would be done, and does nothing of it, neither here nor
// in the service nor on the device.
func TestAProvisioningThatIsOnlyTried(t *testing.T) {
	w := newWorkplace(t)
	before := w.snapshot()
	for line, says := range map[string]string{
		"provision-pelion new updates --create-dev-cert --dry-run":            "The developer certificate new would be created.\nroot@" + w.address + " would be provisioned with new and updates.\n",
		"provision-pelion boards updates --dry-run":                           "root@" + w.address + " would be provisioned with boards and updates.\n",
		"-a $DEVICE -a 127.0.0.1:1 provision-pelion boards updates --dry-run": "Of 2 devices: ",
	} {
		code, out, said := w.run(t.Context(), "--no-input "+line, "")
		if !strings.Contains(out, says) || code > 1 {
			t.Errorf("%s: exit code %d, %q, %q", line, code, out, said)
		}
		if left := w.left(before, ""); len(left) > 0 {
			t.Errorf("%s: not as it was: %v", line, left)
		}
	}
	w.must(os.Remove(filepath.Join(string(w.device), "util")))
	if code, _, said := w.run(t.Context(), "provision-pelion boards updates --dry-run", ""); code != 255 || !strings.Contains(said, "has no /opt/arm/pelion-provisioning-util") {
		t.Errorf("without a util: exit code %d, %q", code, said)
	}
}
