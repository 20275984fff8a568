//go:build unix

package cloudapp_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An operator who is not the service's user must not be told to make a second
// service.
func TestADataFolderOfSomebodyElseIsNotCalledMissing(t *testing.T) {
	data := t.TempDir()
	serve(t, data).stop()
	if err := os.Chmod(data, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(data, 0o700) }) // for those who clean up and are not root
	for _, arguments := range []string{"api-key create --name x", "audit", "ca list", "ca export", "ca rotate lwm2m", "backup backup"} {
		made := command(t.Context(), t, nil, append(strings.Fields(arguments), "--data", data)...)
		made.Dir = t.TempDir()
		if os.Getuid() == 0 { // whom rights do not stop
			becomeNobody(t, made)
		}
		said, err := made.CombinedOutput()
		if err == nil || made.ProcessState.ExitCode() != 1 {
			t.Errorf("%s: %v", arguments, err)
		}
		if text := string(said); !strings.Contains(text, "permission denied") || strings.Contains(text, "makes one") || !strings.Contains(text, "the user that the service runs as") {
			t.Errorf("%s says %s", arguments, text)
		}
	}
}

// becomeNobody has a program run as somebody without rights.
func becomeNobody(t *testing.T, made *exec.Cmd) {
	t.Helper()
	const nobody = 65534
	place, err := os.MkdirTemp("", "cloudapp-") // not below a folder that is the test's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(place) })
	program := filepath.Join(place, "mbl-cloud")
	content, err := os.ReadFile(made.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(place, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	made.Path, made.Dir = program, "/"
	made.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
