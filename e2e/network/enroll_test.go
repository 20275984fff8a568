package network

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mbl/e2e/lan"
	"mbl/e2e/stage"
)

// bareBoard starts a board that has nothing of ours, and a developer who may
// log in to it. prepare may put things on it first.
func bareBoard(t *testing.T, server string, prepare func(path string)) (*lan.LAN, *lan.RunningBoard) {
	t.Helper()
	return bareBoardOf(t, lan.Board{Name: "bare", Server: server, Login: "key"}, prepare)
}

func bareBoardOf(t *testing.T, kind lan.Board, prepare func(path string)) (*lan.LAN, *lan.RunningBoard) {
	t.Helper()
	network, err := lan.New(t.TempDir())
	check(t, err)
	t.Cleanup(network.Close)
	check(t, os.MkdirAll(network.BoardPath("opt"), 0o755))
	check(t, os.MkdirAll(network.BoardPath("var/lib"), 0o755))
	if prepare != nil {
		prepare(network.BoardPath(""))
	}
	board, err := network.StartBoard(kind)
	check(t, err)
	return network, board
}

func TestABareBoardBecomesADevice(t *testing.T) {
	needRoot(t)
	for _, server := range []string{"openssh", "dropbear"} {
		t.Run(server, func(t *testing.T) { enrollAndProvision(t, server) })
	}
}

func enrollAndProvision(t *testing.T, server string) {
	network, board := bareBoard(t, server, nil)
	service, workstation, err := network.StartService(find(t, "mbl-cloud"), find(t, "mbl-cli"))
	check(t, err)
	check(t, board.LetIn(workstation))
	before := firstLogin(t, board, workstation)

	out := enroll(t, workstation, "--binary", find(t, "mbl-device"))
	if !strings.Contains(out, "is a device now") {
		t.Errorf("enroll said %q", out)
	}
	if out = enroll(t, workstation, "--binary", find(t, "mbl-device")); !strings.Contains(out, "has all of it already") {
		t.Errorf("a second time it said %q", out)
	}
	check(t, board.Choose(workstation, discover(t, workstation, "bare")))
	_, err = workstation.Run("--no-input", "provision-pelion", "boards", "updates", "--create-dev-cert", "--accept-new-host-key")
	if err != nil {
		t.Fatalf("%v\nthe board said:\n%s", err, board.Output())
	}
	if err := stage.Until(func() error { return registered(workstation) }); err != nil {
		t.Fatalf("%v\nthe service said:\n%s", err, service.Output())
	}
	out, err = workstation.Run("doctor")
	if err != nil || strings.Contains(out, "failed") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	enroll(t, workstation, "--undo")
	assertSame(t, before, tree(t, board))
}

func TestABoardThatSystemdRuns(t *testing.T) {
	needRoot(t)
	network, board := bareBoard(t, "openssh", func(path string) {
		script := "#!/bin/sh\necho \"$*\" >>/tmp/systemctl.log\n"
		check(t, os.WriteFile(filepath.Join(path, "systemctl"), []byte(script), 0o755))
	})
	workstation := developer(t, network, board)
	before := firstLogin(t, board, workstation)
	enroll(t, workstation, "--binary", find(t, "mbl-device"))
	if _, err := os.Stat(board.Path("etc/systemd/system/mbl-device.service")); err != nil {
		t.Error(err)
	}
	enroll(t, workstation, "--undo")
	assertSame(t, before, tree(t, board))
	calls, err := os.ReadFile(board.Path("tmp/systemctl.log"))
	want := "daemon-reload\nenable mbl-device.service\nrestart mbl-device.service\ndisable --now mbl-device.service\ndaemon-reload\n"
	if err != nil || string(calls) != want {
		t.Errorf("systemctl was called: %q, %v", calls, err)
	}
}

func TestABoardThatCannotTakeIt(t *testing.T) {
	needRoot(t)
	for name, test := range map[string]struct{ options, said string }{
		"read-only": {"ro", "read-only"},
		"full":      {"size=1m", "no space is left"},
	} {
		t.Run(name, func(t *testing.T) {
			network, board := bareBoard(t, "dropbear", func(path string) {
				opt := filepath.Join(path, "opt")
				check(t, exec.Command("mount", "-t", "tmpfs", "-o", test.options, "tmpfs", opt).Run())
				t.Cleanup(func() { check(t, exec.Command("umount", "--lazy", opt).Run()) })
			})
			workstation := developer(t, network, board)
			before := firstLogin(t, board, workstation)
			_, err := workstation.Run("--no-input", "enroll", "root@"+lan.BoardAddress, "--binary", find(t, "mbl-device"))
			if err == nil || !strings.Contains(err.Error(), test.said) {
				t.Errorf("enroll: %v", err)
			}
			assertSame(t, before, tree(t, board))
		})
	}
}

func TestCtrlCWhileTheProgramIsSentLeavesAllOrNothing(t *testing.T) {
	needRoot(t)
	for _, server := range []string{"openssh", "dropbear"} {
		t.Run(server, func(t *testing.T) {
			network, board := bareBoard(t, server, nil)
			workstation := developer(t, network, board)
			before := firstLogin(t, board, workstation)
			command := []string{find(t, "mbl-cli"), "--no-input", "enroll", "root@" + lan.BoardAddress, "--binary", large(t)}
			process, err := stage.Start("enroll", command, stage.Options{
				Dir: t.TempDir(), Env: []string{"HOME=" + workstation.Home, "PATH=" + os.Getenv("PATH")}, Under: network.OnWorkstation(),
			})
			check(t, err)
			t.Cleanup(process.Kill)
			check(t, process.Until("the program arrives", func() bool {
				info, err := os.Stat(board.Path("opt/arm/.mbl-new/mbl-device"))
				return err == nil && info.Size() > 0
			}))
			check(t, process.Signal(os.Interrupt))
			if code, err := process.Wait(t.Context()); code != 130 || err != nil {
				t.Errorf("exit code %d, %v: %s", code, err, process.Output())
			}
			check(t, stage.Until(func() error {
				after := tree(t, board)
				if maps.Equal(after, before) || isWhole(board, after) { // the last byte may have been on its way
					return nil
				}
				return fmt.Errorf("left on the board: %v", after)
			}))
		})
	}
}

// isWhole tells whether a board is enrolled, with nothing half-done beside it.
func isWhole(board *lan.RunningBoard, tree map[string]string) bool {
	for _, dir := range []string{"opt/arm", "etc/init.d"} {
		if tree[board.Path(dir+"/.mbl-new")] != "" || tree[board.Path(dir+"/.mbl-old")] != "" {
			return false
		}
	}
	return tree[board.Path("opt/arm/.mbl-enrolled")] != "" && tree[board.Path("opt/arm/mbl-device")] != "" && tree[board.Path("etc/init.d/mbl-device")] != ""
}

// large is mbl-device with so much behind it that sending it takes a while.
func large(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(find(t, "mbl-device"))
	check(t, err)
	path := filepath.Join(t.TempDir(), "large")
	check(t, os.WriteFile(path, program, 0o755))
	check(t, os.Truncate(path, 200<<20))
	return path
}

// developer is somebody at the other end of the cable, without any service.
func developer(t *testing.T, network *lan.LAN, board *lan.RunningBoard) *stage.Workstation {
	t.Helper()
	workstation, err := stage.NewWorkstation(find(t, "mbl-cli"), t.TempDir(), network.OnWorkstation()...)
	check(t, err)
	check(t, board.LetIn(workstation))
	return workstation
}

// firstLogin waits until the board can be logged in to, and returns what lies
// on it.
func firstLogin(t *testing.T, board *lan.RunningBoard, workstation *stage.Workstation) map[string]string {
	t.Helper()
	check(t, stage.Until(func() error {
		_, err := workstation.Run("--no-input", "enroll", "--dry-run", "root@"+lan.BoardAddress,
			"--binary", find(t, "mbl-device"), "--accept-new-host-key")
		return err
	}))
	return tree(t, board)
}

func enroll(t *testing.T, workstation *stage.Workstation, flags ...string) string {
	t.Helper()
	out, err := workstation.Run(append([]string{"--no-input", "enroll", "root@" + lan.BoardAddress}, flags...)...)
	check(t, err)
	return out
}

// tree is what lies in the folders of a board that enroll has to do with.
func tree(t *testing.T, board *lan.RunningBoard) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, top := range []string{"opt", "etc", "scratch", "var/lib"} {
		err := filepath.WalkDir(board.Path(top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			found[path] = info.Mode().String()
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return found
}

func assertSame(t *testing.T, before, after map[string]string) {
	t.Helper()
	for path, mode := range before {
		if after[path] != mode {
			t.Errorf("%s is %q, was %q", path, after[path], mode)
		}
	}
	for path := range after {
		if before[path] == "" {
			t.Errorf("%s is new", path)
		}
	}
}
