//go:build linux

package boards

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
)

const (
	cloudUnit = "mbl-cloud.service"
	cloudData = "/var/lib/mbl-cloud"
)

// The steps of docs/service.md: the service's first start under systemd, its
// key, a backup, and the same service on a machine that has only that.
func TestSystemdRunsTheServersUnit(t *testing.T) {
	network := island(t)
	b := boot(t, network, cloudUnit, serverFiles(t))
	b.becomes("ActiveState", "active")
	b.serves()
	stagetest.Check(t, b.unit.Until("the journal said how to make a key", func() bool {
		return strings.Contains(b.journal(), "api-key create --data "+cloudData)
	}))
	if log := b.journal(); strings.Contains(log, "ak_") {
		t.Errorf("the journal holds a key:\n%s", log)
	}
	b.assertNotRoot()
	key := b.run("/opt/bin/mbl-cloud", "api-key", "create", "--data", cloudData, "--name", "admin", "--group", "administrators")
	b.run("/opt/bin/mbl-cloud", "backup", "/root/backup", "--data", cloudData)

	b.run("systemctl", "restart", cloudUnit)
	b.serves() // what root wrote is no hindrance
	b.run("systemctl", "stop", cloudUnit)
	b.becomes("Result", "success")

	for name, place := range map[string]string{"a new machine": cloudData + " /var/lib/private/mbl-cloud", "an emptied folder": cloudData + "/*"} {
		b.run("sh", "-c", "rm -rf "+place)
		b.run("/opt/bin/mbl-cloud", "restore", "/root/backup", "--data", cloudData)
		b.run("systemctl", "start", cloudUnit)
		b.serves()
		if answer, err := b.try("curl", "--silent", "--fail", "--header", "Authorization: Bearer "+key, "http://127.0.0.1:8080/v3/accounts/me"); err != nil {
			t.Errorf("on %s: %v: %s", name, err, answer)
		}
		b.run("systemctl", "stop", cloudUnit)
	}
}

// serverFiles is what the server has besides the machine's /usr.
func serverFiles(t *testing.T) string {
	t.Helper()
	files := t.TempDir()
	for _, folder := range []string{"etc/systemd/system", "opt/bin"} {
		stagetest.Check(t, os.MkdirAll(filepath.Join(files, folder), 0o755))
	}
	text, err := os.ReadFile("../../examples/systemd/" + cloudUnit)
	stagetest.Check(t, err)
	unit := strings.ReplaceAll(string(text), "/usr/local/bin/", "/opt/bin/") // /usr is the machine's own
	stagetest.Check(t, os.WriteFile(filepath.Join(files, "etc/systemd/system", cloudUnit), []byte(unit), 0o644))
	stagetest.Check(t, os.WriteFile(filepath.Join(files, "etc/mbl-cloud.yaml"), []byte("host: mycloud.example.net\nhttps: :443\n"), 0o644))
	if out, err := exec.Command("cp", stagetest.Program(t, "mbl-cloud"), filepath.Join(files, "opt/bin/mbl-cloud")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return files
}

// serves waits until the service answers over HTTPS, with the certificate that
// "ca export" tells how to check.
func (b *booted) serves() {
	b.t.Helper()
	said := ""
	err := stage.Until(func() (err error) {
		said, err = b.try("sh", "-c", "/opt/bin/mbl-cloud ca export --data "+cloudData+" >/tmp/ca.pem && "+
			"curl --silent --show-error --fail --cacert /tmp/ca.pem --resolve mycloud.example.net:443:127.0.0.1 https://mycloud.example.net/healthz")
		return err
	})
	if err != nil {
		b.t.Fatalf("%v: %s\n%s", err, said, b.journal())
	}
}

func (b *booted) journal() string {
	b.t.Helper()
	return b.run("journalctl", "--no-pager", "--unit="+b.name)
}
