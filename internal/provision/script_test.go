package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"mbl/internal/credential"
	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

// shells are those that devices have, and the one in our sandbox.
func shells(t *testing.T, test func(t *testing.T, device Device)) {
	programs := map[string][]string{
		"dash":    {sshtest.Program(t, "dash", "dash")},
		"bash":    {sshtest.Program(t, "bash", "bash")},
		"busybox": {sshtest.Program(t, "busybox", "busybox"), "sh"},
	}
	for name, command := range programs {
		t.Run(name, func(t *testing.T) { test(t, &localShell{command: command}) })
	}
	t.Run("mvdan", func(t *testing.T) { test(t, interpreter{}) })
}

// localShell is a device that is this machine.
type localShell struct {
	command []string
	started func(*exec.Cmd)
}

func (s *localShell) Run(ctx context.Context, cmd ssh.Command) (int, error) {
	command := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	command.Stdin, command.Stdout, command.Stderr = cmd.Stdin, cmd.Stdout, cmd.Stderr
	if err := command.Start(); err != nil {
		return 0, err
	}
	if s.started != nil {
		s.started(command)
	}
	err := command.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// interpreter is the shell of our sandbox's virtual devices.
type interpreter struct{}

func (interpreter) Run(ctx context.Context, cmd ssh.Command) (int, error) {
	var stdout, stderr lockedWriter
	stdout.to, stderr.to = cmd.Stdout, cmd.Stderr
	file, err := syntax.NewParser().Parse(cmd.Stdin, "")
	if err != nil {
		return 2, nil
	}
	runner, err := interp.New(interp.StdIO(nil, &stdout, &stderr))
	if err != nil {
		return 0, err
	}
	err = runner.Run(ctx, file)
	var exit interp.ExitStatus
	if errors.As(err, &exit) {
		return int(exit), nil
	}
	return 0, err
}

type lockedWriter struct {
	mu sync.Mutex
	to interface{ Write([]byte) (int, error) }
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// board is a device's files in a folder of the test.
type board struct {
	t     *testing.T
	place layout
	taken string // where the fake util keeps what it was given
}

// newBoard makes a device with a util that runs the given shell lines.
func newBoard(t *testing.T, util string) *board {
	t.Helper()
	root := t.TempDir()
	b := &board{t: t, taken: filepath.Join(root, "taken"), place: layout{
		credentials: filepath.Join(root, "scratch", "provisioning-certs"),
		util:        filepath.Join(root, "util"),
		patience:    time.Minute,
	}}
	if err := os.Mkdir(filepath.Join(root, "scratch"), 0o755); err != nil {
		t.Fatal(err)
	}
	lines := fmt.Sprintf("#!/bin/sh\ndir='%s'\ntaken='%s'\n%s\n", b.place.credentials, b.taken, util)
	if err := os.WriteFile(b.place.util, []byte(lines), 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

// goodUtil copies what it is given, modes included, and speaks as the original.
const goodUtil = `case $1 in
--provision)
	echo "Provisioning device."
	cp -Rp "$dir" "$taken"
	echo "Provisioning process completed without error." ;;
--get-pelion-status)
	printf 'Querying device status... '
	if [ -d "$taken" ]; then
		echo "Device is configured correctly. You can connect to Pelion Cloud!"
	else
		echo "Item does not exist:mbed.UseBootstrap" >&2
		exit 1
	fi ;;
esac`

func (b *board) assertNothingLeft() {
	b.t.Helper()
	if _, err := os.Lstat(b.place.credentials); !errors.Is(err, os.ErrNotExist) {
		b.t.Errorf("the credentials folder is still there: %v", err)
	}
}

func (b *board) assertUntouched() {
	b.t.Helper()
	b.assertNothingLeft()
	if _, err := os.Lstat(b.taken); !errors.Is(err, os.ErrNotExist) {
		b.t.Errorf("the util was run: %v", err)
	}
}

func everyByte() []byte {
	all := make([]byte, 0, 1024)
	for range 4 {
		for i := range 256 {
			all = append(all, byte(i))
		}
	}
	return all
}

var someVariables = []credential.Variable{
	{Name: "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY", Data: everyByte()},
	{Name: "MBED_CLOUD_DEV_MANUFACTURER", Data: []byte(`100 %d 'of' "it" \n $HOME`)},
	{Name: "arm_uc_vendor_id", Data: []byte{}},
	{Name: "arm_uc_class_id", Data: []byte("0123456789")},
}

func TestEveryByteArrivesAndNothingStays(t *testing.T) {
	shells(t, func(t *testing.T, device Device) {
		b := newBoard(t, goodUtil)
		answer, err := send(t.Context(), device, b.place, someVariables)
		if err != nil {
			t.Fatalf("%v; the answer is %+v", err, answer)
		}
		for _, variable := range someVariables {
			file := filepath.Join(b.taken, variable.Name+".bin")
			data, err := os.ReadFile(file)
			if err != nil || !bytes.Equal(data, variable.Data) {
				t.Errorf("%s arrived as %q, %v", variable.Name, data, err)
			}
			if device != (interpreter{}) { // it has no umask; there the folder alone protects
				assertMode(t, file, 0o600)
			}
		}
		assertMode(t, b.taken, 0o700)
		b.assertNothingLeft()
		if !answer.Tidied {
			t.Error("the answer does not say that the files are gone")
		}
		if answer.Provision.Stdout != "Provisioning device.\nProvisioning process completed without error.\n" || answer.Provision.Stderr != "" {
			t.Errorf("the util's words: %+v", answer.Provision)
		}
		if answer.Status.Exit != 0 || !strings.HasPrefix(answer.Status.Stdout, "Querying device status... Device is") {
			t.Errorf("the status: %+v", answer.Status)
		}
	})
}

func assertMode(t *testing.T, file string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %o, want %o", file, info.Mode().Perm(), want)
	}
}

func TestAScriptCutShortDoesNothing(t *testing.T) {
	shells(t, func(t *testing.T, device Device) {
		b := newBoard(t, goodUtil)
		text := provisionScript(b.place, "mark", someVariables[1:2])
		for length := range len(text) - 1 { // without its last newline it is whole
			if length%17 != 0 && length < len(text)-20 {
				continue
			}
			_, err := device.Run(t.Context(), ssh.Command{
				Line: "sh", Stdin: strings.NewReader(text[:length]), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{},
			})
			if err != nil {
				t.Fatal(err)
			}
			b.assertUntouched()
			if t.Failed() {
				t.Fatalf("with the first %d of %d bytes", length, len(text))
			}
		}
	})
}

func TestWhatADeviceMayLack(t *testing.T) {
	tests := map[string]struct {
		spoil func(t *testing.T, b *board)
		want  error
	}{
		"the util":            {func(t *testing.T, b *board) { remove(t, b.place.util) }, ErrNoUtil},
		"a util that may run": {func(t *testing.T, b *board) { chmod(t, b.place.util, 0o644) }, ErrBadUtil},
		"a util's content":    {func(t *testing.T, b *board) { empty(t, b.place.util) }, ErrBadUtil},
		"the folder /scratch": {func(t *testing.T, b *board) { remove(t, filepath.Dir(b.place.credentials)) }, ErrNoScratch},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			shells(t, func(t *testing.T, device Device) {
				b := newBoard(t, goodUtil)
				test.spoil(t, b)
				if _, err := send(t.Context(), device, b.place, someVariables); !errors.Is(err, test.want) {
					t.Errorf("err = %v, want %v", err, test.want)
				}
			})
		})
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

func empty(t *testing.T, name string) {
	t.Helper()
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
}

// A util that did not come to an answer says nothing about the credentials or
// the device's state.
func TestAUtilThatBreaksOffGivesNoAnswer(t *testing.T) {
	for script, want := range map[string]error{
		"kill -9 $$":      ErrUtilBrokeOff,
		"kill -SEGV $$":   ErrUtilBrokeOff,
		"no-such-program": ErrBadUtil, // as where an interpreter or a loader is missing
	} {
		shells(t, func(t *testing.T, device Device) {
			b := newBoard(t, script)
			if _, err := ask(t.Context(), device, b.place); !errors.Is(err, want) {
				t.Errorf("%s, asked: %v, want %v", script, err, want)
			}
			if _, err := send(t.Context(), device, b.place, someVariables); !errors.Is(err, want) {
				t.Errorf("%s, sent: %v, want %v", script, err, want)
			}
			b.assertNothingLeft()
		})
	}
}

// Whoever provisions a device begins with a folder of their own. What the util
// took in may then be theirs, and their folder is theirs to delete.
func TestSomebodyElseProvisionsAtTheSameTime(t *testing.T) {
	for _, verdict := range []string{"exit 0", "exit 1"} {
		shells(t, func(t *testing.T, device Device) {
			b := newBoard(t, `rm -rf "$dir"; mkdir "$dir"; echo theirs >"$dir/theirs.bin"; `+verdict)
			answer, err := send(t.Context(), device, b.place, someVariables)
			if !errors.Is(err, ErrTaken) || !answer.Tidied {
				t.Errorf("%s: err = %v, the answer is %+v", verdict, err, answer)
			}
			files, err := os.ReadDir(b.place.credentials)
			if err != nil || len(files) != 1 || files[0].Name() != "theirs.bin" {
				t.Errorf("%s: their folder has %v, %v", verdict, files, err)
			}
		})
	}
}

// A util may clear away what it has taken in.
func TestAUtilThatDeletesTheFolder(t *testing.T) {
	shells(t, func(t *testing.T, device Device) {
		b := newBoard(t, `rm -rf "$dir"`)
		if _, err := send(t.Context(), device, b.place, someVariables); err != nil {
			t.Error(err)
		}
		b.assertNothingLeft()
	})
}

func TestTheUtilsRefusalIsPassedOn(t *testing.T) {
	shells(t, func(t *testing.T, device Device) {
		b := newBoard(t, `echo "Provisioning device."; echo "Failed to store KCM Item! Item name: x" >&2; exit 1`)
		answer, err := send(t.Context(), device, b.place, someVariables)
		var said *DeviceError
		if !errors.Is(err, ErrToolFailed) || !errors.As(err, &said) || said.Said != "Failed to store KCM Item! Item name: x" {
			t.Errorf("err = %v", err)
		}
		if answer.Provision == nil || answer.Provision.Exit != 1 || answer.Status != nil || !answer.Tidied {
			t.Errorf("the answer: %+v", answer)
		}
		b.assertNothingLeft()
	})
}

func TestTheStatusIsAskedWithoutTouchingAnything(t *testing.T) {
	shells(t, func(t *testing.T, device Device) {
		b := newBoard(t, goodUtil)
		answer, err := ask(t.Context(), device, b.place)
		var said *DeviceError
		if !errors.Is(err, ErrNotConfigured) || !errors.As(err, &said) || said.Said != "Item does not exist:mbed.UseBootstrap" {
			t.Errorf("err = %v", err)
		}
		if answer.Status == nil || answer.Status.Stdout != "Querying device status... " {
			t.Errorf("the answer: %+v", answer.Status)
		}
		b.assertUntouched()
	})
}
