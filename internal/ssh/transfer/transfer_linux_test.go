package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
	"mbl/internal/ssh/transfer"
)

// makeTree fills a folder with what copies stumble over.
func makeTree(t *testing.T, root string) {
	t.Helper()
	for name, mode := range map[string]os.FileMode{
		"plain": 0o644, "secret": 0o600, "read-only": 0o444, "program": 0o755, "all": 0o777,
		"sp ace": 0o644, "line\nend": 0o644, "ends in line end\n": 0o644, "-rf": 0o644, "quote'\"`$(x)": 0o644,
		"größe ✓": 0o644, "star*?[a]": 0o644, `back\slash`: 0o644, ".hidden": 0o644, "..two": 0o644,
		strings.Repeat("n", 255): 0o644, "not utf-8 \xff": 0o644,
	} {
		writeFile(t, filepath.Join(root, name), "content of "+name, mode)
	}
	writeFile(t, filepath.Join(root, "empty"), "", 0o644)
	for _, folder := range []string{"empty folder", "deep/deeper/deepest", "closed"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(root, "deep/deeper/file"), "deep", 0o640)
	writeFile(t, filepath.Join(root, "closed/file"), "x", 0o400)
	for link, target := range map[string]string{
		"link": "plain", "deep/up": "../plain", "dangling": "nowhere", "line end": "a\n", "-link": "-rf",
		"leaves": "../x", "absolute": "/etc/passwd", "deep/leaves": "../../x",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "closed"), 0o555); err != nil {
		t.Fatal(err)
	}
}

// leftOut are the things of makeTree that a copy does not take.
var leftOut = []string{"absolute", "deep/leaves", "leaves", "pipe"}

// describe lists a folder, everything about each thing in a line.
func describe(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += " " + string(content)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			text += " " + target
		}
		found[inside] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func same(t *testing.T, want, have map[string]string) {
	t.Helper()
	for name, text := range want {
		if have[name] != text {
			t.Errorf("%q is %q, want %q", name, have[name], text)
		}
	}
	for name := range have {
		if _, known := want[name]; !known {
			t.Errorf("%q should not be there", name)
		}
	}
}

func TestAFolderComesBackAsItWas(t *testing.T) {
	eachWay(t, func(t *testing.T, protocol string, device *sshtest.Daemon) {
		client := login(t, device, "")
		src, far, back := t.TempDir(), t.TempDir(), t.TempDir()
		makeTree(t, src)
		want := describe(t, src)
		for _, name := range leftOut {
			delete(want, name)
		}
		result, err := transfer.Put(t.Context(), client, src, far+"/tree", transfer.Options{Recursive: true})
		if err != nil {
			t.Fatal(err)
		}
		same(t, want, describe(t, far+"/tree"))
		if result.Protocol != protocol || result.Checked != "sha256" || result.Files != 20 || result.Folders != 6 || result.Links != 5 {
			t.Errorf("result %+v", result)
		}
		var skipped []string
		for _, one := range result.Skipped {
			skipped = append(skipped, strings.TrimPrefix(one.Path, src+"/"))
		}
		slices.Sort(skipped)
		if !slices.Equal(skipped, leftOut) {
			t.Errorf("left out: %q", skipped)
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

func TestWhereACopyGoes(t *testing.T) {
	cases := []struct {
		src, dst  string
		recursive bool
		goes      string // a name that appears, or the error
		err       error
	}{
		{src: "file", dst: "new", goes: "new"},
		{src: "file", dst: "old", goes: "old"},
		{src: "file", dst: "folder", goes: "folder/file"},
		{src: "file", dst: "folder/", goes: "folder/file"},
		{src: "file", dst: "link-to-folder", goes: "folder/file"},
		{src: "link-to-file", dst: "folder/new", goes: "folder/new"},
		{src: "tree", dst: "folder", recursive: true, goes: "folder/tree/x"},
		{src: "tree/", dst: "new-tree/", recursive: true, goes: "new-tree/x"},
		{src: "file", dst: "folder", recursive: true, goes: "folder/file"},
		{src: "tree", dst: "new", err: transfer.ErrFolder},
		{src: "nothing", dst: "new", err: transfer.ErrNoSource},
		{src: "file", dst: "no/such/folder", err: transfer.ErrNoFolder},
		{src: "file", dst: "new/", err: transfer.ErrNoFolder},
		{src: "file", dst: "old/new", err: transfer.ErrNoFolder},
		{src: "tree", dst: "old", recursive: true, err: transfer.ErrInTheWay},
		{src: "file", dst: "taken", err: transfer.ErrInTheWay},
		{src: "file", dst: "pipe", err: transfer.ErrInTheWay},
		{src: "pipe", dst: "new", err: transfer.ErrNotRegular},
	}
	test := func(t *testing.T, device *sshtest.Daemon) {
		client := login(t, device, "")
		for direction, run := range map[string]func(context.Context, *ssh.Client, string, string, transfer.Options) (transfer.Result, error){
			"put": transfer.Put, "get": transfer.Get,
		} {
			for _, c := range cases {
				src, dst := t.TempDir(), t.TempDir()
				writeFile(t, src+"/file", "new content", 0o644)
				os.Symlink("file", src+"/link-to-file")
				os.Mkdir(src+"/tree", 0o755)
				writeFile(t, src+"/tree/x", "new content", 0o644)
				syscall.Mkfifo(src+"/pipe", 0o600)
				os.Mkdir(dst+"/folder", 0o755)
				os.MkdirAll(dst+"/taken/file", 0o755)
				os.Symlink("folder", dst+"/link-to-folder")
				syscall.Mkfifo(dst+"/pipe", 0o600)
				writeFile(t, dst+"/old", "old content", 0o600)
				before := describe(t, dst)
				_, err := run(t.Context(), client, src+"/"+c.src, dst+"/"+c.dst, transfer.Options{Recursive: c.recursive})
				if !errors.Is(err, c.err) {
					t.Errorf("%s %s %s: err = %v, want %v", direction, c.src, c.dst, err, c.err)
				}
				if c.err != nil {
					same(t, before, describe(t, dst))
					continue
				}
				if content, _ := os.ReadFile(dst + "/" + c.goes); string(content) != "new content" {
					t.Errorf("%s %s %s: %s holds %q", direction, c.src, c.dst, c.goes, content)
				}
			}
		}
	}
	eachWay(t, func(t *testing.T, _ string, device *sshtest.Daemon) { test(t, device) })
	t.Run("scp", func(t *testing.T) { test(t, scpDevices()["dropbear"](t)) })
}

// random makes a file that cannot be guessed.
func random(t *testing.T, name string, size int) []byte {
	t.Helper()
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(content)
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return content
}

func TestABrokenCopyIsTakenUpAgain(t *testing.T) {
	eachWay(t, func(t *testing.T, _ string, device *sshtest.Daemon) {
		for direction, run := range map[string]func(context.Context, *ssh.Client, string, string, transfer.Options) (transfer.Result, error){
			"put": transfer.Put, "get": transfer.Get,
		} {
			src, dst := t.TempDir()+"/image", t.TempDir()
			content := random(t, src, 48<<20)
			broken := login(t, device, wire(t, device.Addr, 32<<20))
			_, err := run(t.Context(), broken, src, dst, transfer.Options{})
			var part *transfer.PartError
			if !errors.Is(err, ssh.ErrDropped) || !errors.As(err, &part) || part.Part != dst+"/.image.part" {
				t.Fatalf("%s: err = %v", direction, err)
			}
			if _, err := os.Stat(dst + "/image"); err == nil {
				t.Errorf("%s: something half-written has the name", direction)
			}
			result, err := run(t.Context(), login(t, device, ""), src, dst, transfer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if result.Resumed < 8<<20 {
				t.Errorf("%s: went on after %d bytes only", direction, result.Resumed)
			}
			arrived, err := os.ReadFile(dst + "/image")
			if err != nil || !bytes.Equal(arrived, content) {
				t.Errorf("%s: the copy differs; %v", direction, err)
			}
			onlyFile(t, dst, "image")
		}
	})
}

// onlyFile fails if a folder holds anything but the file.
func onlyFile(t *testing.T, folder, name string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestAPartOfSomethingElseIsNotUsed(t *testing.T) {
	eachWay(t, func(t *testing.T, _ string, device *sshtest.Daemon) {
		client := login(t, device, "")
		for name, part := range map[string]int{"shorter": 10 << 20, "longer": 30 << 20, "small": 100} {
			src, dst := t.TempDir()+"/image", t.TempDir()
			content := random(t, src, 20<<20)
			writeFile(t, dst+"/.image.part", strings.Repeat("x", part), 0o600)
			if _, err := transfer.Put(t.Context(), client, src, dst, transfer.Options{}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			arrived, err := os.ReadFile(dst + "/image")
			if err != nil || !bytes.Equal(arrived, content) {
				t.Errorf("%s: the copy differs; %v", name, err)
			}
			onlyFile(t, dst, "image")
		}
	})
}

func TestCtrlCInTheMiddle(t *testing.T) {
	eachWay(t, func(t *testing.T, _ string, device *sshtest.Daemon) {
		for direction, run := range map[string]func(context.Context, *ssh.Client, string, string, transfer.Options) (transfer.Result, error){
			"put": transfer.Put, "get": transfer.Get,
		} {
			src, dst := t.TempDir()+"/image", t.TempDir()
			random(t, src, 64<<20)
			ctx, cancel := context.WithCancel(t.Context())
			_, err := run(ctx, login(t, device, ""), src, dst, transfer.Options{
				Progress: func(p transfer.Progress) {
					if p.Done > 20<<20 {
						cancel()
					}
				},
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: err = %v", direction, err)
			}
			onlyFile(t, dst, ".image.part")
			var part *transfer.PartError
			if !errors.As(err, &part) {
				t.Errorf("%s: the part is not told of: %v", direction, err)
			}
		}
	})
}

// dataAt is where a sparse file has its data.
func dataAt() []int64 { return []int64{0, 500 << 20, 1<<30 + 12345} }

func TestASparseFileOf2GiBInConstantMemory(t *testing.T) {
	const size = 2 << 30
	eachWay(t, func(t *testing.T, protocol string, device *sshtest.Daemon) {
		client := login(t, device, "")
		src, dst, back := t.TempDir()+"/disk", t.TempDir(), t.TempDir()
		f, err := os.Create(src)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, at := range dataAt() {
			if _, err := f.WriteAt([]byte("some data"), at); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		runtime.GC() // of what other tests had
		watch := &memory{}
		if _, err := transfer.Put(t.Context(), client, src, dst, transfer.Options{Progress: watch.look, NoChecksum: true}); err != nil {
			t.Fatal(err)
		}
		sparse(t, dst+"/disk", size)
		if protocol != "sftp" {
			return // one way back is enough: it sends all the zeros
		}
		if _, err := transfer.Get(t.Context(), client, dst+"/disk", back, transfer.Options{Progress: watch.look, NoChecksum: true}); err != nil {
			t.Fatal(err)
		}
		sparse(t, back+"/disk", size)
		if watch.most > 64<<20 {
			t.Errorf("it took %d MiB of memory", watch.most>>20)
		}
	})
}

// memory looks now and then how much of it is in use.
type memory struct {
	most uint64
	next int64
}

func (m *memory) look(p transfer.Progress) {
	if p.Done < m.next {
		return
	}
	m.next = p.Done + 64<<20
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	m.most = max(m.most, now.HeapInuse+now.StackInuse)
}

func sparse(t *testing.T, name string, size int64) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range dataAt() {
		data := make([]byte, len("some data"))
		if _, err := f.ReadAt(data, at); err != nil || string(data) != "some data" {
			t.Errorf("at %d there is %q, %v", at, data, err)
		}
	}
	info, err := f.Stat()
	if err != nil || info.Size() != size {
		t.Fatalf("%v, %v", info, err)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > 32<<20 {
		t.Errorf("%s takes %d MiB", name, used>>20)
	}
}

func TestAFullDisk(t *testing.T) {
	eachWay(t, func(t *testing.T, _ string, device *sshtest.Daemon) {
		small := t.TempDir()
		if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
		if err := os.Mkdir(small+"/full", 0o755); err != nil {
			t.Fatal(err)
		}
		src := t.TempDir() + "/image"
		random(t, src, 20<<20)
		// A device sees what was mounted before it was started.
		_, err := transfer.Get(t.Context(), login(t, device, ""), src, small+"/full", transfer.Options{})
		if !errors.Is(err, transfer.ErrNoSpace) {
			t.Errorf("get: err = %v", err)
		}
		if entries, _ := os.ReadDir(small + "/full"); len(entries) != 0 {
			t.Errorf("left behind: %v", entries)
		}
	})
	for _, way := range ways {
		small := t.TempDir()
		if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
		if err := os.Mkdir(small+"/full", 0o755); err != nil {
			t.Fatal(err)
		}
		src := t.TempDir() + "/image"
		random(t, src, 20<<20)
		_, err := transfer.Put(t.Context(), login(t, way.start(t), ""), src, small+"/full", transfer.Options{})
		if !errors.Is(err, transfer.ErrNoSpace) {
			t.Errorf("put, %s: err = %v", way.protocol, err)
		}
		if entries, _ := os.ReadDir(small + "/full"); len(entries) != 0 {
			t.Errorf("put, %s: left behind: %v", way.protocol, entries)
		}
	}
}

func TestManySmallFiles(t *testing.T) {
	eachWay(t, func(t *testing.T, protocol string, device *sshtest.Daemon) {
		src, dst, many := t.TempDir(), t.TempDir(), 130 // more than a batch
		if protocol == "shell" {
			many = 15 // each takes a command
		}
		for i := range many {
			writeFile(t, fmt.Sprintf("%s/%03d", src, i), fmt.Sprint(i), 0o644)
		}
		result, err := transfer.Put(t.Context(), login(t, device, ""), src, dst+"/all", transfer.Options{Recursive: true})
		if err != nil || result.Files != many {
			t.Fatalf("%+v, %v", result, err)
		}
		same(t, describe(t, src), describe(t, dst+"/all"))
	})
}

func TestFilesThatDoNotTellTheirLength(t *testing.T) {
	eachWay(t, func(t *testing.T, _ string, device *sshtest.Daemon) {
		client, dst := login(t, device, ""), t.TempDir()
		if _, err := transfer.Get(t.Context(), client, "/proc/version", dst+"/got", transfer.Options{}); err != nil {
			t.Fatal(err)
		}
		if _, err := transfer.Put(t.Context(), client, "/proc/version", dst+"/put", transfer.Options{}); err != nil {
			t.Fatal(err)
		}
		want, _ := os.ReadFile("/proc/version")
		for _, name := range []string{"got", "put"} {
			if have, err := os.ReadFile(dst + "/" + name); err != nil || !bytes.Equal(have, want) {
				t.Errorf("%s: %q, %v", name, have, err)
			}
		}
	})
}
