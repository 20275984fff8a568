package sshserver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"mbl/internal/program/programtest"
	"mbl/internal/sandbox/devicetree"
	"mbl/internal/sandbox/shell"
	"mbl/internal/sandbox/sshserver"
	"mbl/internal/secret"
)

// board is a device that serves SSH.
type board struct {
	dir     string
	address string
	hostKey ssh.PublicKey
}

func newBoard(t *testing.T, change func(*sshserver.Config)) *board {
	t.Helper()
	b := &board{dir: filepath.Join(t.TempDir(), "device")}
	tree, err := devicetree.Open(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	for _, dir := range []string{"/home/root", "/tmp"} {
		if err := tree.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	key, err := sshserver.LoadHostKey(tree)
	if err != nil {
		t.Fatal(err)
	}
	b.hostKey = key.PublicKey()
	cfg := sshserver.Config{
		Shell: &shell.Shell{Tree: tree, Hostname: "board"}, HostKey: key, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	b.serve(t, sshserver.New(cfg))
	return b
}

func (b *board) serve(t *testing.T, server *sshserver.Server) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (b *board) dial(user string, auth ...ssh.AuthMethod) (*ssh.Client, error) {
	return ssh.Dial("tcp", b.address, &ssh.ClientConfig{
		User: user, Auth: auth, HostKeyCallback: ssh.FixedHostKey(b.hostKey), Timeout: 10 * time.Second,
	})
}

func (b *board) login(t *testing.T) *ssh.Client {
	t.Helper()
	client, err := b.dial("root")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func newSession(t *testing.T, client *ssh.Client) *ssh.Session {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func (b *board) text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRootLogsInWithoutAnything(t *testing.T) {
	b := newBoard(t, nil)
	b.login(t)
	if client, err := b.dial("admin"); err == nil {
		client.Close()
		t.Error("so does another user")
	}
}

func TestLoginWithAPasswordOrAKey(t *testing.T) {
	_, key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	b := newBoard(t, func(cfg *sshserver.Config) {
		cfg.Password = secret.New("right")
		cfg.AuthorizedKeys = []ssh.PublicKey{key.PublicKey()}
	})
	_, other, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		user string
		auth []ssh.AuthMethod
		in   bool
	}{
		{"nothing", "root", nil, false},
		{"the password", "root", []ssh.AuthMethod{ssh.Password("right")}, true},
		{"a wrong password", "root", []ssh.AuthMethod{ssh.Password("wrong")}, false},
		{"the password of another user", "admin", []ssh.AuthMethod{ssh.Password("right")}, false},
		{"the key", "root", []ssh.AuthMethod{ssh.PublicKeys(key)}, true},
		{"a key it does not know", "root", []ssh.AuthMethod{ssh.PublicKeys(other)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, err := b.dial(test.user, test.auth...)
			if err == nil {
				client.Close()
			}
			if (err == nil) != test.in {
				t.Errorf("logged in: %t (%v), want %t", err == nil, err, test.in)
			}
		})
	}
}

func TestHostKeyStaysTheSame(t *testing.T) {
	tree, err := devicetree.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	first, err := sshserver.LoadHostKey(tree)
	if err != nil {
		t.Fatal(err)
	}
	second, err := sshserver.LoadHostKey(tree)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.PublicKey().Marshal(), second.PublicKey().Marshal()) {
		t.Error("the second start has another key")
	}
}

func TestCommandsOnOneConnection(t *testing.T) {
	client := newBoard(t, nil).login(t)
	for _, test := range []struct {
		line, stdin, stdout, stderr string
		status                      int
	}{
		{line: "echo out; echo err >&2; exit 7", stdout: "out\n", stderr: "err\n", status: 7},
		{line: "cat", stdin: strings.Repeat("x", 1<<20), stdout: strings.Repeat("x", 1<<20)},
		{line: "true", stdin: strings.Repeat("never read", 1<<20)},
		{line: "", stdout: ""},
	} {
		session := newSession(t, client)
		var stdout, stderr bytes.Buffer
		session.Stdin, session.Stdout, session.Stderr = strings.NewReader(test.stdin), &stdout, &stderr
		status := exitStatus(t, session.Run(test.line))
		if stdout.String() != test.stdout || stderr.String() != test.stderr || status != test.status {
			t.Errorf("%q: got %d bytes, %q, status %d", test.line, stdout.Len(), stderr.String(), status)
		}
	}
}

func exitStatus(t *testing.T, err error) int {
	t.Helper()
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitStatus()
	}
	// The session's input may end after the command did; its status counts.
	if errors.Is(err, io.EOF) {
		return 0
	}
	t.Fatal(err)
	return 0
}

func TestShellWithoutATerminalReadsCommands(t *testing.T) {
	session := newSession(t, newBoard(t, nil).login(t))
	var stdout bytes.Buffer
	session.Stdin, session.Stdout = strings.NewReader("cd /tmp\npwd\nexit 3\n"), &stdout
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	if status := exitStatus(t, session.Wait()); status != 3 || stdout.String() != "/tmp\n" {
		t.Errorf("got %q, status %d", stdout.String(), status)
	}
}

func TestTerminal(t *testing.T) {
	session := newSession(t, newBoard(t, nil).login(t))
	typing, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(session.RequestPty("vt100", 24, 80, nil), session.Shell()); err != nil {
		t.Fatal(err)
	}
	steps := []struct{ see, press string }{
		{"root@board:~# ", "cd /tmp\r"},
		{"root@board:/tmp# ", "if true\r"},
		{"> ", "then echo one; echo two; fi\r"},
		{"\r\none\r\ntwo\r\n", "echo running; sleep 1000\r"},
		{"\r\nrunning\r\n", "\x03"}, // earlier there is nothing yet to interrupt
		{"/tmp# ", "bad (\r"},
		{"sh: ", ""},
		{"/tmp# ", "exit 9\r"},
	}
	for _, step := range steps {
		readUntil(t, screen, step.see)
		if _, err := io.WriteString(typing, step.press); err != nil {
			t.Fatal(err)
		}
	}
	if status := exitStatus(t, session.Wait()); status != 9 {
		t.Errorf("status %d", status)
	}
}

func readUntil(t *testing.T, r io.Reader, want string) {
	t.Helper()
	var seen strings.Builder
	one := make([]byte, 1)
	for !strings.HasSuffix(seen.String(), want) {
		if _, err := r.Read(one); err != nil {
			t.Fatalf("after %q: %v; waited for %q", seen.String(), err, want)
		}
		seen.Write(one)
	}
}

func TestCommandOnATerminal(t *testing.T) {
	session := newSession(t, newBoard(t, nil).login(t))
	if err := session.RequestPty("vt100", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	output, err := session.Output("echo one; echo two")
	if err != nil || string(output) != "one\r\ntwo\r\n" {
		t.Errorf("got %q, %v", output, err)
	}
}

func TestALostConnectionHangsUp(t *testing.T) {
	b := newBoard(t, nil)
	client := b.login(t)
	session := newSession(t, client)
	if err := session.Start("trap 'rm -rf /tmp/secret; touch /tmp/done' EXIT HUP; mkdir /tmp/secret; touch /tmp/ready; sleep 1000"); err != nil {
		t.Fatal(err)
	}
	programtest.AwaitFile(t, filepath.Join(b.dir, "tmp/ready"))
	client.Close()
	programtest.AwaitFile(t, filepath.Join(b.dir, "tmp/done"))
	if _, err := os.Stat(filepath.Join(b.dir, "tmp/secret")); err == nil {
		t.Error("what the trap was to remove is still there")
	}
}

func TestNothingIsForwarded(t *testing.T) {
	client := newBoard(t, nil).login(t)
	if conn, err := client.Dial("tcp", "127.0.0.1:22"); err == nil {
		conn.Close()
		t.Error("a connection was forwarded")
	}
	if listener, err := client.Listen("tcp", "127.0.0.1:0"); err == nil {
		listener.Close()
		t.Error("a listener was opened")
	}
}

func TestSFTP(t *testing.T) {
	b := newBoard(t, nil)
	client, err := sftp.NewClient(b.login(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if dir, err := client.Getwd(); err != nil || dir != "/home/root" {
		t.Errorf("it begins in %q, %v", dir, err)
	}
	f, err := client.Create("/tmp/file")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("content")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Close(), client.Mkdir("/tmp/dir"), client.Rename("/tmp/file", "/tmp/dir/file")); err != nil {
		t.Fatal(err)
	}
	info, err := client.Stat("/tmp/dir/file")
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 7 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if got := b.text(t, "tmp/dir/file"); got != "content" {
		t.Errorf("the file holds %q", got)
	}
	if _, err := client.Stat("/tmp/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := client.Remove("/tmp/dir"); err == nil {
		t.Error("a full folder was removed")
	}
	if err := client.RemoveAll("/tmp/dir"); err != nil {
		t.Error(err)
	}
}

func TestSFTPStaysInside(t *testing.T) {
	b := newBoard(t, nil)
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("host"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(b.dir, "link")); err != nil {
		t.Fatal(err)
	}
	client, err := sftp.NewClient(b.login(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, name := range []string{"/link/secret", filepath.Join(outside, "secret"), "/proc/self/environ"} {
		if f, err := client.Open(name); err == nil {
			f.Close()
			t.Errorf("%s can be read", name)
		}
		if f, err := client.Create(name + ".new"); err == nil {
			f.Close()
			t.Errorf("%s can be written", name)
		}
	}
	if err := client.Symlink("/etc", "/tmp/etc"); err == nil {
		t.Error("a symbolic link was made")
	}
	if err := client.Remove("/link/secret"); err == nil {
		t.Error("the host's file was removed")
	}
}
