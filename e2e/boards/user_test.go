//go:build unix

package boards

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
)

// serviceUser is a user that systemd might make for the service.
const serviceUser = 61234

// The service of a board runs as a user of its own, and mbl-cli provisions as
// root, while it runs.
func TestRootProvisionsAServiceWithoutRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	service, key, credentials := serviceWithCredentials(t)
	dir, err := os.MkdirTemp("", "board") // t.TempDir's are for their owner only
	stagetest.Check(t, err)
	t.Cleanup(func() { stagetest.Check(t, os.RemoveAll(dir)) })
	stagetest.Check(t, os.Chmod(dir, 0o755))
	state := filepath.Join(dir, "state")
	stagetest.Check(t, os.Mkdir(state, 0o755))
	stagetest.Check(t, os.Chown(state, serviceUser, serviceUser))
	program := filepath.Join(dir, "mbl-device")
	if out, err := exec.Command("cp", stagetest.Program(t, "mbl-device"), program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	running, err := stage.Start("mbl-device", []string{
		"setpriv", "--reuid=61234", "--regid=61234", "--clear-groups", "--no-new-privs", program, "--state", state, "run",
	}, stage.Options{Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH")}})
	stagetest.Check(t, err)
	defer running.Kill()
	stagetest.Check(t, running.Until("it waits for credentials", func() bool {
		return strings.Contains(running.Output(), "waiting for credentials")
	}))
	for range 2 { // the second time over what the service wrote
		out, err := exec.Command(program, "--state", state, "--credentials", credentials, "--provision").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if _, err := service.Registered(key); err != nil {
			t.Fatalf("%v\nthe device said:\n%s", err, running.Output())
		}
	}
	stagetest.Check(t, filepath.WalkDir(state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != serviceUser {
			t.Errorf("%s is not the service's", path)
		}
		return err
	}))
}
