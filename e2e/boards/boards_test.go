// Package boards runs mbl-device as boards run it: built for their processors,
// under an emulator of each, and as a user without rights; and both services'
// units under a systemd that boots.
package boards

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mbl/e2e/stage"
	"mbl/e2e/stage/stagetest"
)

func TestMain(m *testing.M) { stagetest.Main(m) }

// targets are the processors of gateway-class boards.
var targets = []struct{ name, arch, level, emulator string }{
	{"arm64", "arm64", "", "qemu-aarch64-static"},
	{"armv7", "arm", "7", "qemu-arm-static"},
}

func TestADeviceOfEachProcessorRegisters(t *testing.T) {
	service, key, credentials := serviceWithCredentials(t)
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			dir := t.TempDir()
			b := board{t: t, root: filepath.Join(dir, "board"), command: []string{target.emulator, build(t, dir, target.arch, target.level)}}
			b.registers(service, key, credentials)
		})
	}
}

// serviceWithCredentials starts a service, and returns a folder of credentials
// that are good for it.
func serviceWithCredentials(t *testing.T) (service *stage.Service, key, credentials string) {
	t.Helper()
	world := stagetest.Start(t)
	workstation, err := stage.NewWorkstation(stagetest.Program(t, "mbl-cli"), world.Dir)
	stagetest.Check(t, err)
	stagetest.Check(t, workstation.Prepare(world.Service, world.Key))
	// A virtual device, because credentials are made on the way to one.
	device, err := stage.StartDevice(stagetest.Program(t, "mbl-sandbox"), "first", filepath.Join(world.Dir, "first"), stage.Options{Dir: world.Dir}, "--announce=false")
	stagetest.Check(t, err)
	stagetest.Check(t, workstation.Provision(device, "boards"))
	device.Stop()
	credentials = filepath.Join(world.Dir, "credentials")
	stagetest.Check(t, os.Mkdir(credentials, 0o700))
	for _, entry := range []string{"boards", "updates"} {
		files, err := filepath.Glob(filepath.Join(workstation.Home, ".mbl-store/team", entry, "*.bin"))
		stagetest.Check(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			stagetest.Check(t, err)
			stagetest.Check(t, os.WriteFile(filepath.Join(credentials, filepath.Base(file)), content, 0o600))
		}
	}
	return world.Service, world.Key, credentials
}

func build(t *testing.T, dir, arch, level string) string {
	t.Helper()
	program := filepath.Join(dir, "mbl-device")
	cmd := exec.Command("go", "build", "-trimpath", "-o", program, "mbl/cmd/mbl-device")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOARM="+level)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// board is a machine with another processor.
type board struct {
	t       *testing.T
	root    string
	command []string // runs its mbl-device here
}

func (b board) run(args ...string) (code int, out string) {
	b.t.Helper()
	args = append(append(b.command[1:], "--root", b.root), args...)
	cmd := exec.Command(b.command[0], args...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		b.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

func (b board) expect(code int, text string, args ...string) {
	b.t.Helper()
	if got, out := b.run(args...); got != code || !strings.Contains(out, text) {
		b.t.Errorf("%s: exit code %d, want %d with %q; it said:\n%s", strings.Join(args, " "), got, code, text, out)
	}
}

func (b board) registers(service *stage.Service, key, credentials string) {
	t := b.t
	b.expect(0, "mbl-device ", "--version")
	b.expect(1, "Item does not exist:mbed.UseBootstrap", "--get-pelion-status")
	b.expect(0, "completed without error", "--provision", "--credentials", credentials)
	b.expect(0, "Device is configured correctly", "--get-pelion-status")
	b.expect(0, `"provisioned": true`, "status", "--json")

	command := append(b.command[:len(b.command):len(b.command)], "--root", b.root, "run")
	running, err := stage.Start("mbl-device", command, stage.Options{Dir: filepath.Dir(b.root)})
	stagetest.Check(t, err)
	defer running.Kill()
	stagetest.Check(t, running.Until("it registered", func() bool {
		var status struct {
			Registered bool `json:"registered"`
		}
		_, out := b.run("status", "--json")
		return json.Unmarshal([]byte(out), &status) == nil && status.Registered
	}))
	if _, err := service.Registered(key); err != nil {
		t.Error(err)
	}
	if code := running.Stop(); code != 0 || !strings.Contains(running.Output(), "de-registered") {
		t.Errorf("stopped with %d; it said:\n%s", code, running.Output())
	}
}
