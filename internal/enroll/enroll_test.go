package enroll

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mbl/internal/ssh"
	"mbl/internal/ssh/posixsh"
	"mbl/internal/ssh/sshtest"
)

// TestMain makes the test binary be mbl-device too, where it is installed
// under that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "mbl-device" {
		os.Exit(m.Run())
	}
	if os.Getenv("BROKEN_DEVICE") != "" {
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == "run" {
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		<-ended
	}
}

// board is a board's files in a folder of this machine, and a shell of it.
type board struct {
	t     *testing.T
	shell []string
	root  string
	tools string // programs that stand before the machine's own
	env   []string
	cut   int // how many bytes arrive on standard input before the cable is pulled; 0: all
}

// boards runs a test with each shell and each way to start services.
func boards(t *testing.T, test func(t *testing.T, b *board)) {
	t.Helper()
	for shell, command := range map[string][]string{
		"dash":    {sshtest.Program(t, "dash", "dash")},
		"busybox": {sshtest.Program(t, "busybox", "busybox"), "sh"},
	} {
		for start, dirs := range map[string][]string{
			"systemd": {"run/systemd/system", "etc/systemd/system", "etc/avahi/services", "opt"},
			"sysv":    {"etc/init.d", "etc/rc3.d", "etc/rc5.d", "var/run", "var/lib"},
			"busybox": {"etc", "var/run", "var/lib"},
		} {
			t.Run(shell+"/"+start, func(t *testing.T) { test(t, newBoardIn(t, command, dirs)) })
		}
	}
}

func newBoardIn(t *testing.T, shell, dirs []string) *board {
	t.Helper()
	b := &board{t: t, shell: shell, root: t.TempDir(), tools: t.TempDir()}
	for _, dir := range append(dirs, "var/lib", "etc") {
		check(t, os.MkdirAll(filepath.Join(b.root, dir), 0o755))
	}
	b.tool("systemctl", `echo "$*" >>"$0.log"`)
	b.tool("logger", "cat >/dev/null")
	t.Cleanup(func() { _, _ = b.Run(context.Background(), ssh.Command{Line: b.root + "/etc/init.d/mbl-device stop"}) })
	return b
}

// tool puts a program on the board.
func (b *board) tool(name, lines string) {
	check(b.t, os.WriteFile(filepath.Join(b.tools, name), []byte("#!/bin/sh\n"+lines+"\n"), 0o755))
}

func (b *board) Run(ctx context.Context, cmd ssh.Command) (int, error) {
	command := exec.CommandContext(ctx, b.shell[0], append(b.shell[1:], "-c", cmd.Line)...)
	command.Env = append(append(os.Environ(), "PATH="+b.tools+":"+os.Getenv("PATH")), b.env...)
	command.Stdin, command.Stdout, command.Stderr = cmd.Stdin, cmd.Stdout, cmd.Stderr
	if b.cut > 0 && strings.Contains(cmd.Line, "dd") {
		command.Stdin = io.LimitReader(cmd.Stdin, int64(b.cut))
	}
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// tree is all that lies on the board, with rights and content.
func (b *board) tree() map[string]string {
	found := map[string]string{}
	check(b.t, filepath.WalkDir(b.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			check(b.t, err)
			what += " " + sumOf(content)
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			check(b.t, err)
			what += " " + target
		}
		found[strings.TrimPrefix(path, b.root)] = what
		return nil
	}))
	return found
}

func (b *board) enroll() (*Result, error) {
	return enroll(b.t.Context(), b, Plan{Binary: own(b.t), Port: 2222}, b.root)
}

// own is this test's program in place of mbl-device.
func own(t *testing.T) func(Architecture) (*Binary, error) {
	return func(architecture Architecture) (*Binary, error) {
		self, err := os.Executable()
		check(t, err)
		return FindBinary(architecture, self, nil)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *board) assertTree(want map[string]string) {
	b.t.Helper()
	got := b.tree()
	for path := range want {
		if got[path] != want[path] {
			b.t.Errorf("%s is %q, was %q", path, got[path], want[path])
		}
	}
	for path := range got {
		if want[path] == "" {
			b.t.Errorf("%s is new", path)
		}
	}
}

func TestAnEnrolledBoardHasAllAndUndoLeavesNothing(t *testing.T) {
	boards(t, func(t *testing.T, b *board) {
		before := b.tree()
		result, err := b.enroll()
		if err != nil || !result.Changed {
			t.Fatalf("%+v, %v", result, err)
		}
		target, err := os.Readlink(b.root + utilFile)
		if err != nil || target != "mbl-device" {
			t.Errorf("the util is %q, %v", target, err)
		}
		if info, err := os.Stat(b.root + "/scratch"); err != nil || !info.IsDir() {
			t.Errorf("/scratch: %v", err)
		}
		after := b.tree()
		for path := range after {
			if strings.Contains(path, ".mbl-new") || strings.Contains(path, ".mbl-old") {
				t.Errorf("left behind: %s", path)
			}
		}
		again, err := b.enroll()
		if err != nil || again.Changed {
			t.Errorf("a second run: %+v, %v", again, err)
		}
		b.assertTree(after)

		check(t, os.WriteFile(b.root+stateDir+"/credentials", []byte("secret"), 0o600))
		if _, err := undo(t.Context(), b, false, b.root); err != nil {
			t.Fatal(err)
		}
		b.assertTree(before)
		if _, err := undo(t.Context(), b, false, b.root); !errors.Is(err, ErrNotEnrolled) {
			t.Errorf("a second undo: %v", err)
		}
	})
}

func TestTheServiceIsStartedNowAndWithTheBoard(t *testing.T) {
	boards(t, func(t *testing.T, b *board) {
		result, err := b.enroll()
		check(t, err)
		calls, _ := os.ReadFile(filepath.Join(b.tools, "systemctl.log"))
		if result.Board.Init == Systemd {
			if string(calls) != "daemon-reload\nenable mbl-device.service\nrestart mbl-device.service\n" {
				t.Errorf("systemctl was called: %s", calls)
			}
			announced, err := os.ReadFile(b.root + announceFile)
			if err != nil || !strings.Contains(string(announced), "<port>2222</port>") || !strings.Contains(string(announced), "mblos") {
				t.Errorf("announced %s, %v", announced, err)
			}
			return
		}
		if exit, err := b.Run(t.Context(), ssh.Command{Line: b.root + initFile + " status"}); exit != 0 || err != nil {
			t.Errorf("the service does not run: %d, %v", exit, err)
		}
		if info, err := os.Stat(b.root + "/var/run/mbl-device"); err != nil || !info.IsDir() {
			t.Errorf("there is no place for the socket of applications: %v", err)
		}
		link := b.root + bootLink
		if result.Board.has("/etc/rc5.d") {
			link = b.root + "/etc/rc5.d/S99mbl-device"
		}
		if info, err := os.Stat(link); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s does not lead to the init script: %v", link, err)
		}
	})
}

func TestWhateverFailsTheBoardIsAsBefore(t *testing.T) {
	tests := map[string]struct {
		spoil func(b *board)
		want  error
	}{
		"a full disk": {func(b *board) {
			b.tool("cat", `head -c 1000; echo "cat: write error: No space left on device" >&2; exit 1`)
		}, ErrNoSpace},
		"a read-only root":     {func(b *board) { b.tool("mkdir", `echo "mkdir: $1: Read-only file system" >&2; exit 1`) }, ErrReadOnly},
		"a disk that lies":     {func(b *board) { b.tool("cat", "head -c 1000") }, ErrDamaged},
		"a program that fails": {func(b *board) { b.env = append(b.env, "BROKEN_DEVICE=1") }, ErrDoesNotRun},
		"a failing move":       {func(b *board) { b.tool("mv", `case $* in *pelion*) exit 1 ;; *) exec /bin/mv "$@" ;; esac`) }, ErrWrite},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			boards(t, func(t *testing.T, b *board) {
				before := b.tree()
				test.spoil(b)
				if _, err := b.enroll(); !errors.Is(err, test.want) {
					t.Errorf("err = %v, want %v", err, test.want)
				}
				b.assertTree(before)
			})
		})
	}
}

func TestAServiceThatDoesNotStart(t *testing.T) {
	b := newBoardIn(t, []string{"sh"}, []string{"run/systemd/system", "etc/systemd/system"})
	b.tool("systemctl", `case $1 in restart) echo "Job failed" >&2; exit 1 ;; esac`)
	before := b.tree()
	var said *BoardError
	if _, err := b.enroll(); !errors.Is(err, ErrStart) || !errors.As(err, &said) || said.Said != "Job failed" {
		t.Errorf("err = %v", err)
	}
	b.assertTree(before)
}

func TestAFailedReplacementLeavesTheOldProgram(t *testing.T) {
	b := newBoardIn(t, []string{"sh"}, []string{"run/systemd/system", "etc/systemd/system"})
	_, err := b.enroll()
	check(t, err)
	before := b.tree()
	b.tool("systemctl", `echo "$*" >>"$0.log"; case $1 in restart) [ -e "$0.again" ] && exit 0; : >"$0.again"; exit 1 ;; esac`)
	newer := filepath.Join(t.TempDir(), "newer")
	self, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	check(t, os.WriteFile(newer, append(self, "newer"...), 0o755))
	_, err = enroll(t.Context(), b, Plan{Binary: func(a Architecture) (*Binary, error) { return FindBinary(a, newer, nil) }}, b.root)
	if !errors.Is(err, ErrStart) {
		t.Errorf("err = %v", err)
	}
	b.assertTree(before)
	calls, _ := os.ReadFile(filepath.Join(b.tools, "systemctl.log"))
	if !strings.HasSuffix(strings.TrimSuffix(string(calls), "daemon-reload\n"), "restart mbl-device.service\n") {
		t.Errorf("the old program was not started again: %s", calls)
	}
}

func TestALostConnectionInstallsNothing(t *testing.T) {
	boards(t, func(t *testing.T, b *board) {
		before := b.tree()
		for _, length := range []int{1, 100, 1000, 4000, 8000, 20_000, 1_000_000} {
			b.cut = length
			if _, err := b.enroll(); err == nil {
				t.Errorf("enrolled with %d bytes", length)
			}
			b.assertTree(before)
			if t.Failed() {
				t.Fatalf("with the first %d bytes", length)
			}
		}
	})
}

func TestFilesOfOthersAreNotTouched(t *testing.T) {
	b := newBoardIn(t, []string{"sh"}, []string{"run/systemd/system", "opt/arm"})
	check(t, os.WriteFile(b.root+utilFile, []byte("the original"), 0o755))
	before := b.tree()
	if _, err := b.enroll(); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), utilFile) {
		t.Errorf("err = %v", err)
	}
	b.assertTree(before)
}

func TestUndoKeepsWhatSomebodyChanged(t *testing.T) {
	b := newBoardIn(t, []string{"sh"}, []string{"run/systemd/system", "etc/systemd/system"})
	_, err := b.enroll()
	check(t, err)
	check(t, os.WriteFile(b.root+unitFile, []byte("mine"), 0o644))
	result, err := undo(t.Context(), b, false, b.root)
	if err != nil || !slices.Contains(result.Changes, Change{Keep, unitFile}) {
		t.Errorf("%+v, %v", result, err)
	}
	if text, err := os.ReadFile(b.root + unitFile); string(text) != "mine" {
		t.Errorf("the unit is %q, %v", text, err)
	}
}

func TestADryRunDoesNothing(t *testing.T) {
	boards(t, func(t *testing.T, b *board) {
		before := b.tree()
		result, err := enroll(t.Context(), b, Plan{Binary: own(t), DryRun: true}, b.root)
		if err != nil || result.Changed || !slices.Contains(result.Changes, Change{Install, programFile}) {
			t.Errorf("%+v, %v", result, err)
		}
		b.assertTree(before)
	})
}

func TestAnAccountThatIsNotRoot(t *testing.T) {
	b := newBoardIn(t, []string{"sh"}, []string{"run/systemd/system", "etc/systemd/system"})
	b.tool("id", "echo 1000")
	b.tool("sudo", "exit 1")
	if _, err := b.enroll(); !errors.Is(err, ErrNotRoot) {
		t.Errorf("err = %v", err)
	}
	b.tool("sudo", `echo sudo >>"$0.log"; shift; exec "$@"`)
	if _, err := b.enroll(); err != nil {
		t.Error(err)
	}
	if calls, _ := os.ReadFile(filepath.Join(b.tools, "sudo.log")); string(calls) != "sudo\nsudo\n" {
		t.Errorf("sudo was called: %q", calls)
	}
}

func TestBoardsThatCannotBeEnrolled(t *testing.T) {
	good := map[string]string{"kernel": "Linux", "machine": "x86_64", "user": "0", "sums": "yes", "done": ""}
	tests := map[string]struct {
		word, text string
		want       error
	}{
		"another system":            {"kernel", "Darwin", ErrNotLinux},
		"another processor":         {"machine", "riscv64", ErrArchitecture},
		"not root":                  {"user", "1000", ErrNotRoot},
		"no sha256sum":              {"sums", "", ErrNoChecksum},
		"a list of something else":  {"manifest", "hello", ErrManifest},
		"a list with foreign files": {"manifest", manifestHead + "\nfile /etc/passwd x", ErrManifest},
		"a list with foreign links": {"manifest", manifestHead + "\nlink /opt/arm/../../etc/x y", ErrManifest},
		"a list with all folders":   {"manifest", manifestHead + "\ndir /", ErrManifest},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			facts := maps.Clone(good)
			facts[test.word] = test.text
			var said []posixsh.Answer
			for word, text := range facts {
				said = append(said, posixsh.Answer{Word: word, Text: text})
			}
			if _, err := newBoard(said, ""); !errors.Is(err, test.want) {
				t.Errorf("err = %v, want %v", err, test.want)
			}
		})
	}
	if _, err := newBoard(nil, ""); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("silence: %v", err)
	}
}

func TestTheProgramMustBeForTheBoard(t *testing.T) {
	self, err := os.Executable()
	check(t, err)
	text := filepath.Join(t.TempDir(), "text")
	check(t, os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755))
	other := map[string]string{"amd64": "aarch64", "arm64": "armv7l", "arm": "x86_64"}[runtime.GOARCH]
	wrong, err := architectureOf(other)
	check(t, err)
	for _, file := range []string{self, text, t.TempDir()} {
		if _, err := FindBinary(wrong, file, nil); !errors.Is(err, ErrBinary) {
			t.Errorf("%s: %v", file, err)
		}
	}
	folder := t.TempDir()
	_, err = FindBinary(wrong, "", []string{t.TempDir(), folder})
	if !errors.Is(err, ErrNoBinary) || !strings.Contains(err.Error(), wrong.FileName()) || !strings.Contains(err.Error(), folder) {
		t.Errorf("the missing one: %v", err)
	}
}

func TestThisMachinesProgramServesBoardsLikeIt(t *testing.T) {
	self, err := os.Executable()
	check(t, err)
	content, err := os.ReadFile(self)
	check(t, err)
	folder := t.TempDir()
	check(t, os.WriteFile(filepath.Join(folder, "mbl-device"), content, 0o755))
	for _, machine := range []string{"x86_64", "aarch64", "armv7l", "armv6l"} {
		architecture, err := architectureOf(machine)
		check(t, err)
		binary, err := FindBinary(architecture, "", []string{t.TempDir(), folder})
		if serves := architecture.Name == runtime.GOARCH && runtime.GOARCH != "arm"; serves != (err == nil) {
			t.Errorf("%s: %v, %v", machine, binary, err)
		} else if !serves && !errors.Is(err, ErrNoBinary) {
			t.Errorf("%s: %v", machine, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	whole := &manifest{Systemd, []string{"/opt/arm"}, []item{{path: programFile, sum: "ab"}, {path: utilFile, target: "mbl-device"}}}
	f.Add(whole.text())
	f.Add("mbl-enroll 1\ndir /\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseManifest(text)
		if err != nil {
			return
		}
		again, err := parseManifest(m.text())
		if m.init != "" && (err != nil || !bytes.Equal([]byte(again.text()), []byte(m.text()))) {
			t.Errorf("%q is not what it was: %v", text, err)
		}
		for _, i := range m.items {
			if !isKnown(i.path) {
				t.Errorf("%q would be removed", fmt.Sprint(i))
			}
		}
	})
}
