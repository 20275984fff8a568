//go:build linux

package boards

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mbl/e2e/lan"
	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
	"mbl/internal/credential"
)

//go:embed systemd.sh
var bootScript []byte

const deviceUnit = "mbl-device.service"

// The unit under a systemd that boots: the service says that it is ready and
// how it is doing, has no rights, comes back when it is killed, and says goodbye
// when it is stopped.
func TestSystemdRunsTheService(t *testing.T) {
	network := island(t)
	world := stagetest.StartOn(t, stage.Options{Under: network.On(), Dial: network.Dial})
	channel := world.Channel
	b := boot(t, network, deviceUnit, boardFiles(t, world.Developer(t, "systemd")))
	b.becomes("ActiveState", "active")
	b.becomes("StatusText", "Not registered")
	b.run("/opt/arm/mbl-device", "--provision")
	b.becomes("StatusText", "Registered")
	b.assertNoRights()
	before := onlyDevice(t, channel)

	b.run("systemctl", "kill", "--signal=KILL", "mbl-device")
	b.becomes("NRestarts", "1")
	b.becomes("StatusText", "Registered")
	if after := onlyDevice(t, channel); after != before {
		t.Errorf("it is %s now, was %s", after, before)
	}
	b.run("systemctl", "stop", "mbl-device")
	if ids, err := channel.DeviceIDs(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("registered after the stop: %v, %v", ids, err)
	}
}

func onlyDevice(t *testing.T, channel *stage.Channel) string {
	t.Helper()
	ids, err := channel.DeviceIDs(t.Context())
	stagetest.Check(t, err)
	if len(ids) != 1 {
		t.Fatalf("%d devices are registered", len(ids))
	}
	return ids[0]
}

// booted is a board with a systemd of its own.
type booted struct {
	t      *testing.T
	name   string         // of the unit that it is about
	unit   *stage.Process // unshare, whose child is the systemd
	inside []string       // the command that runs another one on the board
}

// island is a network for one board.
func island(t *testing.T) *lan.Island {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to boot a systemd in name spaces")
	}
	network, err := lan.NewIsland()
	stagetest.Check(t, err)
	t.Cleanup(network.Close)
	return network
}

// boot starts a systemd, and the unit of that name, on a board with these files.
func boot(t *testing.T, network *lan.Island, name, files string) *booted {
	t.Helper()
	dir := t.TempDir()
	script := filepath.Join(dir, "systemd.sh")
	stagetest.Check(t, os.WriteFile(script, bootScript, 0o600))
	group := controlGroup(t)
	// The shell moves itself, so that all it becomes is in the group.
	into := []string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, group}
	command := append(into, append(network.On(), "unshare",
		"--mount", "--pid", "--fork", "--cgroup", "--uts", "--ipc", "--kill-child", "sh", script, name, files)...)
	unit, err := stage.Start("systemd", command, stage.Options{Dir: dir})
	stagetest.Check(t, err)
	t.Cleanup(func() {
		unit.Kill()
		if t.Failed() {
			t.Logf("systemd said:\n%s", unit.Output())
		}
	})
	b := &booted{t: t, name: name, unit: unit}
	stagetest.Check(t, unit.Until("systemd was there", b.enter))
	return b
}

// boardFiles is what the board has besides the machine's /usr.
func boardFiles(t *testing.T, developer *credential.Developer) string {
	t.Helper()
	files := t.TempDir()
	for _, folder := range []string{"etc/systemd/system", "opt/arm", "scratch/provisioning-certs"} {
		stagetest.Check(t, os.MkdirAll(filepath.Join(files, folder), 0o755))
	}
	unit, err := os.ReadFile("../../internal/enroll/files/mbl-device.service")
	stagetest.Check(t, err)
	text := strings.ReplaceAll(string(unit), "@ANNOUNCE@", "")
	stagetest.Check(t, os.WriteFile(filepath.Join(files, "etc/systemd/system", deviceUnit), []byte(text), 0o644))
	if out, err := exec.Command("cp", stagetest.Program(t, "mbl-device"), filepath.Join(files, "opt/arm/mbl-device")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	stagetest.Check(t, stage.WriteCredentials(filepath.Join(files, "scratch/provisioning-certs"), developer))
	return files
}

// controlGroup makes a group for the board's processes, which goes with them.
func controlGroup(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/mounts")
	stagetest.Check(t, err)
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			group := filepath.Join(fields[1], fmt.Sprintf("mbl-board-%d", os.Getpid()))
			stagetest.Check(t, os.Mkdir(group, 0o755))
			t.Cleanup(func() {
				stagetest.Check(t, stage.Until(func() error { // the processes are still ending
					return exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
				}))
			})
			return group
		}
	}
	t.Skip("this machine has no control groups (version 2), and systemd needs them")
	return ""
}

// enter finds the systemd, and tells whether it is there.
func (b *booted) enter() bool {
	pid := fmt.Sprint(b.unit.PID())
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	first := strings.TrimSpace(string(children))
	if err != nil || first == "" || strings.Contains(first, " ") {
		return false
	}
	if name, err := os.ReadFile("/proc/" + first + "/comm"); err != nil || string(name) != "systemd\n" {
		return false
	}
	b.inside = []string{"nsenter", "--target", first, "--mount", "--pid", "--net", "--cgroup", "--uts", "--ipc"}
	return true
}

func (b *booted) run(command ...string) string {
	b.t.Helper()
	out, err := b.try(command...)
	if err != nil {
		b.t.Fatalf("%v: %v: %s", command, err, out)
	}
	return out
}

func (b *booted) try(command ...string) (string, error) {
	command = append(b.inside[:len(b.inside):len(b.inside)], command...)
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// becomes waits until a property of the unit begins so.
func (b *booted) becomes(property, want string) {
	b.t.Helper()
	got := ""
	err := b.unit.Until(property+"="+want, func() bool {
		got, _ = b.try("systemctl", "show", "--value", "--property="+property, b.name)
		return strings.HasPrefix(got, want)
	})
	if err != nil {
		b.t.Fatalf("%s is %q: %v", property, got, err)
	}
}

func (b *booted) assertNoRights() {
	b.t.Helper()
	status := b.run("cat", "/proc/"+b.run("systemctl", "show", "--value", "--property=MainPID", b.name)+"/status")
	for _, want := range []string{"CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(status+"\n", want) {
			b.t.Errorf("there is no %q in\n%s", want, status)
		}
	}
	b.assertNotRoot()
}

func (b *booted) assertNotRoot() {
	b.t.Helper()
	pid := b.run("systemctl", "show", "--value", "--property=MainPID", b.name)
	if status := b.run("cat", "/proc/"+pid+"/status"); strings.Contains(status, "Uid:\t0\t") {
		b.t.Error("it runs as root")
	}
}
