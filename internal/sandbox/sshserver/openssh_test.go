package sshserver_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func newKey() (ed25519.PrivateKey, ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	return key, signer, err
}

// openSSH runs a program of OpenSSH against the board.
func (b *board) openSSH(t *testing.T, stdin, program string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("this test needs %s: apt-get install openssh-client", program)
	}
	host, port, err := net.SplitHostPort(b.address)
	if err != nil {
		t.Fatal(err)
	}
	hosts := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(hosts, []byte(knownhosts.Line([]string{b.address}, b.hostKey)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := []string{
		"-F", "none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=" + hosts, "-o", "GlobalKnownHostsFile=none",
		"-o", "Port=" + port, "-o", "User=root", "-o", "IdentityAgent=none",
	}
	for _, arg := range args {
		all = append(all, strings.ReplaceAll(arg, "BOARD", host))
	}
	cmd := exec.Command(program, all...)
	cmd.Stdin = strings.NewReader(stdin)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, output)
	}
	return string(output)
}

func TestOpenSSHClient(t *testing.T) {
	b := newBoard(t, nil)
	if got := b.openSSH(t, "", "ssh", "BOARD", "hostname; id -u"); got != "board\n0\n" {
		t.Errorf("ssh said %q", got)
	}
	if got := b.openSSH(t, "echo in a script\n", "ssh", "-T", "BOARD"); got != "in a script\n" {
		t.Errorf("ssh with a script said %q", got)
	}
}

// scp speaks its own protocol with -O, SFTP without.
func TestOpenSSHCopies(t *testing.T) {
	for name, flags := range map[string][]string{"scp": {"-O"}, "scp by SFTP": {"-s"}} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, nil)
			local := filepath.Join(t.TempDir(), "folder")
			want := map[string]string{"a.bin": "one", "sub/b with space": strings.Repeat("two\n", 100_000), "sub/empty": ""}
			writeFiles(t, local, want)
			scp := func(args ...string) {
				t.Helper()
				b.openSSH(t, "", "scp", append(append([]string{"-q", "-p"}, flags...), args...)...)
			}
			scp("-r", local, "BOARD:/tmp")
			checkFiles(t, filepath.Join(b.dir, "tmp/folder"), want)
			scp(filepath.Join(local, "a.bin"), "BOARD:/tmp/other")
			checkFiles(t, filepath.Join(b.dir, "tmp"), map[string]string{"other": "one"})
			back := t.TempDir()
			scp("-r", "BOARD:/tmp/folder", back)
			checkFiles(t, filepath.Join(back, "folder"), want)
			scp("BOARD:/tmp/folder/sub/*", back)
			checkFiles(t, back, map[string]string{"b with space": want["sub/b with space"]})
		})
	}
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

func checkFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, want := range files {
		file := filepath.Join(dir, name)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if string(data) != want {
			t.Errorf("%s holds %d bytes, want %d", name, len(data), len(want))
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s is %v, %v", name, info.Mode(), err)
		}
	}
}

func TestOpenSSHSFTP(t *testing.T) {
	b := newBoard(t, nil)
	local := t.TempDir()
	writeFiles(t, local, map[string]string{"file": "text"})
	script := fmt.Sprintf("cd /tmp\nput %s/file\nrename file moved\nget moved %s/back\nls -l\nmkdir d\nrmdir d\n", local, local)
	output := b.openSSH(t, script, "sftp", "-b", "-", "BOARD")
	if !strings.Contains(output, "moved") {
		t.Errorf("sftp said %q", output)
	}
	if data, err := os.ReadFile(filepath.Join(local, "back")); err != nil || string(data) != "text" {
		t.Errorf("it came back as %q, %v", data, err)
	}
}
