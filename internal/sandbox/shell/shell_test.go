package shell_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/program/programtest"
	"mbl/internal/sandbox/devicetree"
	"mbl/internal/sandbox/shell"
)

// board is a shell on a tree of its own, beside a folder it must not reach.
type board struct {
	*shell.Shell
	dir     string
	outside string
}

func newBoard(t *testing.T) *board {
	t.Helper()
	top := t.TempDir()
	b := &board{dir: filepath.Join(top, "device"), outside: filepath.Join(top, "outside")}
	if err := os.Mkdir(b.outside, 0o755); err != nil {
		t.Fatal(err)
	}
	b.write(t, "../outside/secret", "the host's\n")
	tree, err := devicetree.Open(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	for _, dir := range []string{"/home/root", "/tmp", "/opt/arm", "/usr/bin"} {
		if err := tree.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.Shell = &shell.Shell{Tree: tree, Hostname: "board", Programs: map[string]shell.Program{
		"/opt/arm/util": func(_ context.Context, args []string, stdio shell.Stdio) int {
			fmt.Fprintln(stdio.Out, strings.Join(args, " "))
			return 3
		},
	}}
	return b
}

func (b *board) write(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (b *board) run(t *testing.T, line, stdin string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = b.Run(t.Context(), line, shell.Stdio{In: strings.NewReader(stdin), Out: &out, Err: &errs})
	return out.String(), errs.String(), status
}

func TestCommands(t *testing.T) {
	for _, test := range []struct {
		name, line, stdin, want string
		status                  int
	}{
		{name: "home", line: "pwd; echo $HOME $USER ~ ~root", want: "/home/root\n/home/root root /home/root /home/root\n"},
		{name: "who", line: "id -u; whoami; hostname; uname", want: "0\nroot\nboard\nLinux\n"},
		{name: "folders", line: "mkdir -p -m 700 /a/b && mkdir -p /a/b && ls -d /a/b && mv /a/b /a/c && ls /a", want: "/a/b\nc\n"},
		{name: "remove", line: "mkdir -p /a/b; touch /a/b/f; rm -r -f /a /none && test ! -e /a && echo gone", want: "gone\n"},
		{name: "remove needs -r", line: "mkdir /a; rm /a", status: 1},
		{name: "mv of many", line: "mkdir -p /s/one; touch /s/one/x /s/one/y; mv /s/one/* /s && ls /s", want: "one\nx\ny\n"},
		{name: "copy", line: "mkdir -p /s/d; echo hi >/s/d/f; cp -r /s/d /t && cat /t/f", want: "hi\n"},
		{name: "modes", line: "umask 077; echo x >/f; ls -l /f | head -c 10; echo; chmod u+x,g=r /f; ls -l /f | head -c 10; umask", want: "-rw-------\n-rwxr-----0077\n"},
		{name: "stdin", line: "cat >/f; head -n 1 /f; wc -l </f", stdin: "1\n2\n3\n", want: "1\n3\n"},
		{name: "head leaves the rest", line: "head -n 1; cat", stdin: "1\n2\n", want: "1\n2\n"},
		{name: "sh -c", line: `sh -ec 'echo $0 $1; false; echo not' me you`, want: "me you\n", status: 1},
		{name: "sh on stdin", line: "sh -s word", stdin: "echo $1\nread line\nnext input\necho got $line\nexit 4\necho not\n", want: "word\ngot next input\n", status: 4},
		{name: "exported", line: `A=1; export B=2; sh -c 'echo "$A$B"'`, want: "2\n"},
		{name: "script", line: `printf '#!/bin/sh\necho "ran $1"\n' >/usr/bin/s; chmod +x /usr/bin/s; s it; /usr/bin/s too`, want: "ran it\nran too\n"},
		{name: "not executable", line: "echo echo hi >/s; /s", status: 127},
		{name: "command -v", line: "command -v rm; command -v cd; command -v nothing || echo none", want: "/usr/bin/rm\ncd\nnone\n"},
		{name: "by path", line: "/bin/echo x || /bin/cat", stdin: "cat\n", want: "cat\n"},
		{name: "trap", line: "trap 'echo bye' EXIT HUP INT TERM; echo hi; exit 5", want: "hi\nbye\n", status: 5},
		{name: "null device", line: "echo x >/dev/null 2>&1; cat /dev/null; test -e /dev/null", want: ""},
		{name: "md5", line: "md5sum", stdin: "", want: "d41d8cd98f00b204e9800998ecf8427e  -\n"},
		{name: "checksum", line: "sha256sum", stdin: "", want: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  -\n"},
		{name: "octal", line: `f() { printf "$1"; }; f '\000\012\101\377\200%%' >/f; sha256sum </f`, want: "31fd2e74cf149314771681e56175c180a7bf4fa866003c20195ebdc276107377  -\n"},
		{name: "no kill", line: "command -v kill || echo none; kill -9 $$ 2>/dev/null || echo refused", want: "none\nrefused\n"},
		{name: "wait", line: "sh -c 'exit 3' & child=$!; wait \"$child\"; echo $?", want: "3\n"},
		{name: "sleep", line: "sleep 0.01", want: ""},
		{name: "unknown", line: "frobnicate", status: 127},
		{name: "syntax", line: "if", status: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, status := newBoard(t).run(t, test.line, test.stdin)
			if stdout != test.want || status != test.status {
				t.Errorf("got %q, status %d; want %q, status %d; stderr %q", stdout, status, test.want, test.status, stderr)
			}
			if status != 0 && test.status != 5 && test.status != 4 && !strings.Contains(test.line, "false") && stderr == "" {
				t.Error("it failed without saying why")
			}
		})
	}
}

func TestRealProgramsRunWhereTheirFileLies(t *testing.T) {
	b := newBoard(t)
	if _, _, status := b.run(t, "/opt/arm/util --go", ""); status != 127 {
		t.Errorf("without the file: status %d", status)
	}
	b.write(t, "opt/arm/util", "#!/bin/sh\n")
	if _, _, status := b.run(t, "/opt/arm/util --go", ""); status != 127 {
		t.Errorf("with a file that may not be run: status %d", status)
	}
	if _, stderr, status := b.run(t, "chmod 755 /opt/arm/util", ""); status != 0 {
		t.Fatal(stderr)
	}
	stdout, _, status := b.run(t, "cd /opt && arm/util --go", "")
	if stdout != "arm/util --go\n" || status != 3 {
		t.Errorf("got %q, status %d", stdout, status)
	}
}

// Whatever is run, the host's files stay unseen and untouched.
func TestNothingOutsideTheTreeIsReached(t *testing.T) {
	b := newBoard(t)
	if err := os.Symlink(b.outside, filepath.Join(b.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../outside", filepath.Join(b.dir, "relative")); err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(b.outside, "mark")
	for _, line := range []string{
		"cat " + b.outside + "/secret", "cat ../../../outside/secret", "cat /link/secret", "cat /relative/secret",
		"cat </link/secret", ". " + b.outside + "/secret", ". /link/secret", "sh /link/secret",
		"echo x >" + mark, "echo x >/link/mark", "cp /link/secret /copy && cat /copy", "mv /link/secret /moved",
		"touch /link/mark", "mkdir /link/mark", "rm -rf /link/* " + b.outside, "chmod 777 /link/secret",
		"ls /link/", "cd /link && ls", "echo /link/*", "echo " + b.outside + "/*", "scp -f /link/secret", "scp -r -f /link",
		"/bin/bash -c id", "bash -c id", "/usr/bin/env", "exec /usr/bin/touch " + mark, "command touch /link/mark",
		"eval 'cat <(echo x)'", "cat <(echo x)", "test -s /link/secret && echo secret", "[ -r " + b.outside + "/secret ] && echo secret",
		"cat /proc/self/environ", "cat /etc/passwd", "echo ~nobody ~daemon", "PATH=/link:/usr/bin:/bin; ps", "pwd -P", "command -v ps",
		"TMPDIR=" + b.outside + " sh -c 'eval \"cat <(echo x)\"'", "mktemp", "sha256sum /link/secret", "which ps", "type ps", "hash ps",
	} {
		stdout, stderr, _ := b.run(t, line, "C0644 4 mark\nabcd\x00")
		if said := stdout + stderr; strings.Contains(said, "the host's") || strings.Contains(stdout, "secret\n") || strings.Contains(stdout, "/nonexistent") {
			t.Errorf("%s: said %q", line, said)
		}
		entries, err := os.ReadDir(b.outside)
		if err != nil || len(entries) != 1 || entries[0].Name() != "secret" {
			t.Fatalf("%s: the host's folder holds %v, %v", line, entries, err)
		}
		info, err := entries[0].Info()
		if err != nil || info.Mode().Perm() != 0o644 {
			t.Fatalf("%s: the host's file is %v, %v", line, info, err)
		}
	}
}

func TestTrapsRunWhenTheConnectionIsLost(t *testing.T) {
	for name, line := range map[string]string{
		"HUP":               "trap 'echo hup >/tmp/hup' HUP; touch /tmp/ready; sleep 100; touch /tmp/after",
		"EXIT":              "trap 'echo exit >/tmp/hup' EXIT; touch /tmp/ready; sleep 100; touch /tmp/after",
		"a HUP that exits":  "trap 'touch /tmp/hup' EXIT; trap 'exit 129' HUP INT TERM; touch /tmp/ready; cat; touch /tmp/after",
		"in a shell inside": `sh -c 'trap "rm /tmp/ready; touch /tmp/hup" EXIT; touch /tmp/ready; sleep 100; touch /tmp/after'`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			ctx, hangup := context.WithCancel(t.Context())
			input, typing := io.Pipe()
			status := make(chan int, 1)
			go func() { status <- b.Run(ctx, line, shell.Stdio{In: input, Out: io.Discard, Err: io.Discard}) }()
			programtest.AwaitFile(t, filepath.Join(b.dir, "tmp/ready"))
			hangup()
			typing.Close()
			if got := <-status; got != 129 {
				t.Errorf("status %d, want that of HUP", got)
			}
			programtest.AwaitFile(t, filepath.Join(b.dir, "tmp/hup"))
			if _, err := os.Stat(filepath.Join(b.dir, "tmp/after")); err == nil {
				t.Error("the script went on")
			}
		})
	}
}

// A command that the loss of the connection ends is the last one, however
// soon it ends after the loss.
func TestNothingRunsAfterTheCommandThatTheHangupEnded(t *testing.T) {
	for range 100 {
		b := newBoard(t)
		ctx, hangup := context.WithCancel(t.Context())
		b.write(t, "opt/arm/util", "")
		b.run(t, "chmod 755 /opt/arm/util", "")
		b.Programs["/opt/arm/util"] = func(context.Context, []string, shell.Stdio) int {
			hangup()
			return 0
		}
		status := b.Run(ctx, "/opt/arm/util; touch /tmp/after", shell.Stdio{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
		if _, err := os.Stat(filepath.Join(b.dir, "tmp/after")); err == nil || status != 129 {
			t.Fatalf("the script went on, status %d", status)
		}
	}
}

func TestIgnoredHangupLetsTheScriptFinish(t *testing.T) {
	b := newBoard(t)
	ctx, hangup := context.WithCancel(t.Context())
	defer hangup()
	input, typing := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- b.Run(ctx, "trap '' HUP; touch /tmp/ready; cat; touch /tmp/after", shell.Stdio{In: input, Out: io.Discard, Err: io.Discard})
	}()
	programtest.AwaitFile(t, filepath.Join(b.dir, "tmp/ready"))
	hangup()
	typing.Close()
	if got := <-status; got != 0 {
		t.Errorf("status %d", got)
	}
	programtest.AwaitFile(t, filepath.Join(b.dir, "tmp/after"))
}
