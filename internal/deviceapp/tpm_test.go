package deviceapp_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/keystore/tpmtest"
)

// keyStatus is what status --json says of the key.
func keyStatus(t *testing.T, root string) (protection, tpm, problem string) {
	t.Helper()
	var report struct {
		KeyProtection string `json:"key_protection"`
		TPM           string `json:"tpm"`
		KeyProblem    string `json:"key_problem"`
	}
	must(t, json.Unmarshal([]byte(run(t, root, "mbl-device", "status", "--json").out), &report))
	return report.KeyProtection, report.TPM, report.KeyProblem
}

func wantKey(t *testing.T, root, protection, tpm, problem string) {
	t.Helper()
	gotProtection, gotTPM, gotProblem := keyStatus(t, root)
	if gotProtection != protection || gotTPM != tpm || !strings.Contains(gotProblem, problem) || (problem == "") != (gotProblem == "") {
		t.Errorf("the key is in %q, TPM %q, problem %q; want %q, %q, %q", gotProtection, gotTPM, gotProblem, protection, tpm, problem)
	}
}

func TestTheKeyMovesIntoTheTPMWhenTheDeviceRunsWithOne(t *testing.T) {
	root, socket := t.TempDir(), tpmtest.Start(t)
	wantKey(t, root, "none", "", "")
	writeFiles(t, root, files(t))
	if got := run(t, root, "pelion-provisioning-util", "--provision"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	wantKey(t, root, "file", "", "")
	if got := run(t, root, "mbl-device", "status"); !strings.Contains(got.out, "Storage key:   in a file that only its owner can read\n") {
		t.Errorf("status: %s", got.out)
	}

	runShortly(t, root, "--tpm", socket)
	wantKey(t, root, "tpm", socket, "")
	if got := run(t, root, "mbl-device", "status"); !strings.Contains(got.out, "Storage key:   sealed by the TPM at "+socket+"\n") {
		t.Errorf("status: %s", got.out)
	}
	// mbl-cli runs the util without any flag.
	if got := run(t, root, "pelion-provisioning-util", "--get-pelion-status"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	writeFiles(t, root, files(t))
	if got := run(t, root, "pelion-provisioning-util", "--provision"); got.code != 0 {
		t.Errorf("provisioning again: %+v", got)
	}
	runShortly(t, root, "--tpm", "auto")
	wantKey(t, root, "tpm", socket, "")

	tpmtest.Stop(t, socket)
	wantKey(t, root, "tpm", socket, "the TPM that seals the storage's key cannot be used: "+socket)
	if got := run(t, root, "mbl-device", "run", "--tpm", socket); got.code != 1 || !strings.Contains(got.err, socket) {
		t.Errorf("without its TPM: %+v", got)
	}
}

func TestATPMThatIsNotThereIsSaidAndTheKeyStays(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, files(t))
	none := filepath.Join(root, "no-tpm")
	got := run(t, root, "mbl-device", "--provision", "--tpm", none)
	if got.code != 1 || !strings.Contains(got.err, "no such file") {
		t.Errorf("%+v", got)
	}
	if got := run(t, root, "mbl-device", "--provision"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	got = run(t, root, "mbl-device", "run", "--tpm", none)
	if got.code != 1 || !strings.Contains(got.err, "no such file") || strings.Count(got.err, "\n") != 1 {
		t.Errorf("%+v", got)
	}
	wantKey(t, root, "file", "", "")
	if _, err := os.Stat(filepath.Join(root, "var/lib/mbl-device/run.json")); err == nil {
		t.Error("run.json is left behind")
	}
}

// runShortly runs the device until it is under way.
func runShortly(t *testing.T, root string, flags ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := runUntil(ctx, root, "mbl-device", append([]string{"run"}, flags...)...); got.code != 0 {
		t.Fatalf("%+v", got)
	}
}
