package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
	"mbl/internal/ssh/transfer"
)

// scpDevices are devices whose account may run scp and nothing else.
func scpDevices() map[string]func(t *testing.T) *sshtest.Daemon {
	const byShell = `case $SSH_ORIGINAL_COMMAND in "scp "*) eval "exec $SSH_ORIGINAL_COMMAND" ;; esac
echo "only scp here" >&2; exit 1`
	const byWords = `set -f; set -- $SSH_ORIGINAL_COMMAND; [ "$1" = scp ] && exec "$@"
echo "only scp here"; exit 1`
	return map[string]func(t *testing.T) *sshtest.Daemon{
		"openssh": func(t *testing.T) *sshtest.Daemon {
			script := filepath.Join(t.TempDir(), "only")
			writeFile(t, script, byShell, 0o644)
			return sshtest.OpenSSH(t, "ForceCommand sh "+script)
		},
		"words": func(t *testing.T) *sshtest.Daemon {
			d := sshtest.OpenSSH(t, "")
			d.OnlyCommand(t, byWords)
			return d
		},
		"dropbear": func(t *testing.T) *sshtest.Daemon {
			d := sshtest.Dropbear(t)
			d.OnlyCommand(t, byShell)
			return d
		},
	}
}

func eachSCP(t *testing.T, test func(t *testing.T, device *sshtest.Daemon)) {
	for name, start := range scpDevices() {
		if name == "words" {
			continue // names that need quotes cannot be told to it
		}
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

type copyFunc = func(context.Context, *ssh.Client, string, string, transfer.Options) (transfer.Result, error)

func directions() map[string]copyFunc {
	return map[string]copyFunc{"put": transfer.Put, "get": transfer.Get}
}

func TestAFolderByScpComesBackAsItWas(t *testing.T) {
	eachSCP(t, func(t *testing.T, device *sshtest.Daemon) {
		client := login(t, device, "")
		src, far, back := t.TempDir(), t.TempDir(), t.TempDir()
		makeTree(t, src)
		for _, name := range []string{"line\nend", "ends in line end\n", "line end"} {
			if err := os.Remove(filepath.Join(src, name)); err != nil {
				t.Fatal(err)
			}
		}
		want := describe(t, src)
		for _, name := range append([]string{"link", "deep/up", "dangling", "-link"}, leftOut...) {
			delete(want, name)
		}
		result, err := transfer.Put(t.Context(), client, src, far+"/tree", transfer.Options{Recursive: true})
		if err != nil {
			t.Fatal(err)
		}
		same(t, want, describe(t, far+"/tree"))
		if result.Protocol != "scp" || result.Checked != "size" || result.Files != 18 || result.Folders != 6 || result.Links != 0 || len(result.Skipped) != 8 {
			t.Errorf("result %+v", result)
		}
		if _, err := transfer.Get(t.Context(), client, far+"/tree", back, transfer.Options{Recursive: true}); err != nil {
			t.Fatal(err)
		}
		same(t, want, describe(t, back+"/tree"))
		// And once more, over what is there.
		if _, err := transfer.Put(t.Context(), client, src+"/.", far+"/tree", transfer.Options{Recursive: true}); err != nil {
			t.Fatal(err)
		}
		same(t, want, describe(t, far+"/tree"))
	})
}

func TestAnAccountThatTakesItsWordsLiterally(t *testing.T) {
	client := login(t, scpDevices()["words"](t), "")
	src, far, back := t.TempDir()+"/image-1.0_a.bin", t.TempDir(), t.TempDir()
	content := random(t, src, 5<<20)
	if _, err := transfer.Put(t.Context(), client, src, far, transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	result, err := transfer.Get(t.Context(), client, far+"/image-1.0_a.bin", back, transfer.Options{})
	if err != nil || result.Protocol != "scp" {
		t.Fatalf("%+v, %v", result, err)
	}
	if arrived, err := os.ReadFile(back + "/image-1.0_a.bin"); err != nil || !bytes.Equal(arrived, content) {
		t.Errorf("the copy differs; %v", err)
	}
	onlyFile(t, back, "image-1.0_a.bin")
}

func TestLinksAreFollowedByScp(t *testing.T) {
	client := login(t, scpDevices()["openssh"](t), "")
	src, back := t.TempDir(), t.TempDir()
	writeFile(t, src+"/file", "content", 0o640)
	os.Mkdir(src+"/folder", 0o755)
	os.Symlink("file", src+"/link")
	os.Symlink("nowhere", src+"/dangling")
	syscall.Mkfifo(src+"/pipe", 0o600)
	result, err := transfer.Get(t.Context(), client, src, back+"/copy", transfer.Options{Recursive: true})
	if err != nil || result.Files != 2 || result.Links != 0 || len(result.Skipped) != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	same(t, map[string]string{".": "drwxr-xr-x", "folder": "drwxr-xr-x", "file": "-rw-r----- content", "link": "-rw-r----- content"}, describe(t, back+"/copy"))
}

func TestLinksInACircleEndACopyByScp(t *testing.T) {
	client := login(t, scpDevices()["openssh"](t), "")
	src, back := t.TempDir(), t.TempDir()
	os.Symlink(".", src+"/a")
	os.Symlink(".", src+"/b")
	if _, err := transfer.Get(t.Context(), client, src, back, transfer.Options{Recursive: true}); err == nil || !strings.Contains(err.Error(), "Too many levels") {
		t.Errorf("err = %v", err)
	}
	if entries, _ := os.ReadDir(back); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestScpRefusesNamesWithLineEnds(t *testing.T) {
	client := login(t, scpDevices()["openssh"](t), "")
	for direction, run := range directions() {
		src, dst := t.TempDir(), t.TempDir()
		writeFile(t, src+"/line\nend", "x", 0o644)
		writeFile(t, src+"/a", "x", 0o644)
		for _, from := range []string{src, src + "/line\nend"} {
			if _, err := run(t.Context(), client, from, dst, transfer.Options{Recursive: true}); !errors.Is(err, transfer.ErrLineEnd) {
				t.Errorf("%s %q: err = %v", direction, from, err)
			}
			if entries, _ := os.ReadDir(dst); len(entries) != 0 {
				t.Errorf("%s %q: left behind: %v", direction, from, entries)
			}
		}
	}
}

func TestACopyByScpThatBreaksOff(t *testing.T) {
	eachSCP(t, func(t *testing.T, device *sshtest.Daemon) {
		for direction, run := range directions() {
			src, dst := t.TempDir()+"/image", t.TempDir()
			content := random(t, src, 24<<20)
			_, err := run(t.Context(), login(t, device, wire(t, device.Addr, 8<<20)), src, dst, transfer.Options{})
			if !errors.Is(err, ssh.ErrDropped) {
				t.Errorf("%s: err = %v", direction, err)
			}
			var half *transfer.HalfError
			if told := errors.As(err, &half); told != (direction == "put") {
				t.Errorf("%s: half-written: %v", direction, told)
			}
			if entries, _ := os.ReadDir(dst); direction == "get" && len(entries) != 0 {
				t.Errorf("left behind: %v", entries)
			}
			if _, err := run(t.Context(), login(t, device, ""), src, dst, transfer.Options{}); err != nil {
				t.Errorf("%s again: %v", direction, err)
			}
			if arrived, err := os.ReadFile(dst + "/image"); err != nil || !bytes.Equal(arrived, content) {
				t.Errorf("%s again: the copy differs; %v", direction, err)
			}
		}
	})
}

func TestCtrlCInTheMiddleOfScp(t *testing.T) {
	eachSCP(t, func(t *testing.T, device *sshtest.Daemon) {
		for direction, run := range directions() {
			src, dst := t.TempDir()+"/image", t.TempDir()
			random(t, src, 48<<20)
			ctx, cancel := context.WithCancel(t.Context())
			_, err := run(ctx, login(t, device, ""), src, dst, transfer.Options{Progress: func(p transfer.Progress) {
				if p.Done > 10<<20 {
					cancel()
				}
			}})
			var half *transfer.HalfError
			if told := errors.As(err, &half); !errors.Is(err, context.Canceled) || told != (direction == "put") {
				t.Errorf("%s: err = %v, half-written: %v", direction, err, told)
			}
			if entries, _ := os.ReadDir(dst); direction == "get" && len(entries) != 0 {
				t.Errorf("left behind: %v", entries)
			}
		}
	})
}

func TestAFullDiskOfScp(t *testing.T) {
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	src := t.TempDir() + "/image"
	random(t, src, 8<<20)
	client := login(t, scpDevices()["openssh"](t), "")
	_, err := transfer.Put(t.Context(), client, src, small, transfer.Options{})
	var half *transfer.HalfError
	if !errors.Is(err, transfer.ErrNoSpace) || !errors.As(err, &half) || half.Name != small+"/image" {
		t.Errorf("put: err = %v", err)
	}
	os.Remove(small + "/image")
	if _, err = transfer.Get(t.Context(), client, src, small, transfer.Options{}); !errors.Is(err, transfer.ErrNoSpace) {
		t.Errorf("get: err = %v", err)
	}
	if entries, _ := os.ReadDir(small); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestAnAccountWithoutAnything(t *testing.T) {
	device := sshtest.OpenSSH(t, "")
	device.OnlyCommand(t, "echo no; exit 1")
	_, err := transfer.Get(t.Context(), login(t, device, ""), "/etc/hostname", t.TempDir(), transfer.Options{})
	if !errors.Is(err, ssh.ErrExec) || !strings.Contains(err.Error(), `"no"`) {
		t.Errorf("err = %v", err)
	}
}

func TestFilesWithoutALengthByScp(t *testing.T) {
	client, dst := login(t, scpDevices()["openssh"](t), ""), t.TempDir()
	if _, err := transfer.Put(t.Context(), client, "/proc/version", dst+"/put", transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	want, _ := os.ReadFile("/proc/version")
	if have, err := os.ReadFile(dst + "/put"); err != nil || !bytes.Equal(have, want) {
		t.Errorf("%q, %v", have, err)
	}
}
