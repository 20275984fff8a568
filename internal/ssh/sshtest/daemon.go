package sshtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Daemon is a real SSH server of somebody else, running on loopback as the
// user of the test.
type Daemon struct {
	Addr          string // 127.0.0.1:PORT
	HostKey       ssh.PublicKey
	ClientKeyFile string // a private key that may log in

	dir string
}

// OpenSSH starts sshd until the test ends. options are further lines for its
// configuration and come first, so they win.
func OpenSSH(t testing.TB, options string) *Daemon {
	t.Helper()
	program := Program(t, "sshd", "openssh-server")
	if os.Geteuid() == 0 { // its privilege separation wants this folder
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d := newDaemon(t)
	_, port, _ := net.SplitHostPort(d.Addr)
	config := filepath.Join(d.dir, "sshd_config")
	write(t, config, fmt.Sprintf("%s\nListenAddress 127.0.0.1\nPort %s\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nPermitRootLogin yes\nUsePAM no\n",
		options, port, filepath.Join(d.dir, "host_key"), filepath.Join(d.dir, ".ssh", "authorized_keys")))
	d.start(t, exec.Command(program, "-D", "-e", "-f", config))
	return d
}

// Dropbear starts dropbear until the test ends. It finds the keys that may log
// in only through the home folder in /etc/passwd, so it gets a mount namespace
// with a passwd file of its own; making that takes root.
func Dropbear(t testing.TB) *Daemon {
	t.Helper()
	return dropbear(t)
}

// BusyBox starts a Dropbear on a system that has BusyBox for its programs and
// nothing else: no sftp-server, no scp. It takes root, as Dropbear does.
func BusyBox(t testing.TB) *Daemon {
	t.Helper()
	busybox := Program(t, "busybox", "busybox")
	applets := t.TempDir()
	own := filepath.Join(applets, "busybox")
	run(t, "cp", busybox, own)
	run(t, own, "--install", "-s", applets)
	// The last one: it takes mount away.
	return dropbear(t, Program(t, "false", "coreutils"), "/usr/lib/openssh/sftp-server", applets, "/usr/bin")
}

// dropbear starts dropbear with files and folders laid over others: what, over
// what, and so on.
func dropbear(t testing.TB, mounts ...string) *Daemon {
	t.Helper()
	program := Program(t, "dropbear", "dropbear-bin")
	unshare := Program(t, "unshare", "util-linux")
	d := newDaemon(t)
	key := filepath.Join(d.dir, "dropbear_key")
	run(t, Program(t, "dropbearconvert", "dropbear-bin"), "openssh", "dropbear", filepath.Join(d.dir, "host_key"), key)
	passwd := filepath.Join(d.dir, "passwd")
	write(t, passwd, fmt.Sprintf("root:x:0:0:root:%s:/bin/sh\n", d.dir))
	mounts = append([]string{passwd, "/etc/passwd"}, mounts...)
	line := []string{"--mount", "sh", "-c", `while [ "$1" != -- ]; do mount --bind "$1" "$2" && shift 2 || exit; done; shift; exec "$@"`, "sh"}
	line = append(append(line, mounts...), "--", program, "-F", "-E", "-s", "-r", key, "-p", d.Addr, "-P", filepath.Join(d.dir, "pid"))
	d.start(t, exec.Command(unshare, line...))
	return d
}

// OnlyCommand makes the daemon run a script for whatever the client asks for,
// which the script finds in $SSH_ORIGINAL_COMMAND.
func (d *Daemon) OnlyCommand(t testing.TB, script string) {
	t.Helper()
	file := filepath.Join(d.dir, "only")
	write(t, file, script)
	public, err := os.ReadFile(d.ClientKeyFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.dir, ".ssh", "authorized_keys"), fmt.Sprintf("command=\"sh %s\" %s", file, public))
}

// Program finds a program that a test needs. A missing one fails the test.
func Program(t testing.TB, name, debianPackage string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin", "/sbin"} {
		if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return file
		}
	}
	t.Fatalf("%s is missing (Debian package %s); `make test` installs what the tests need", name, debianPackage)
	return ""
}

// newDaemon makes the keys and chooses the address. The home folder of the
// daemon is dir, and dir/.ssh/authorized_keys holds the client's key.
func newDaemon(t testing.TB) *Daemon {
	t.Helper()
	keygen := Program(t, "ssh-keygen", "openssh-client")
	d := &Daemon{dir: t.TempDir(), Addr: freeAddress(t)}
	d.ClientKeyFile = filepath.Join(d.dir, "client_key")
	// PEM: the one form that dropbearconvert of every age reads.
	run(t, keygen, "-q", "-t", "ecdsa", "-m", "PEM", "-N", "", "-f", filepath.Join(d.dir, "host_key"))
	run(t, keygen, "-q", "-t", "ed25519", "-N", "", "-f", d.ClientKeyFile)
	d.HostKey = publicKey(t, filepath.Join(d.dir, "host_key.pub"))
	if err := os.Mkdir(filepath.Join(d.dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	authorized, err := os.ReadFile(d.ClientKeyFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.dir, ".ssh", "authorized_keys"), string(authorized))
	return d
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func publicKey(t testing.TB, file string) ssh.PublicKey {
	t.Helper()
	line, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// start runs the daemon until the test ends and waits until it answers.
func (d *Daemon) start(t testing.TB, command *exec.Cmd) {
	t.Helper()
	output := &lockedBuffer{}
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", command.Path, output)
		}
	})
	for {
		if answers(d.Addr) {
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended at once:\n%s", command.Path, output)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answers tells whether an SSH server greets there.
func answers(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	greeting := make([]byte, 4)
	_, err = conn.Read(greeting)
	return err == nil && string(greeting) == "SSH-"
}

func run(t testing.TB, program string, arguments ...string) {
	t.Helper()
	if output, err := exec.Command(program, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, output)
	}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a buffer that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
