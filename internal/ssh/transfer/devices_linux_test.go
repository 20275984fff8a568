package transfer_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

// ways are devices that take files in each of the ways.
var ways = []struct {
	name, protocol string
	start          func(t *testing.T) *sshtest.Daemon
}{
	{"sftp", "sftp", func(t *testing.T) *sshtest.Daemon {
		return sshtest.OpenSSH(t, "Subsystem sftp /usr/lib/openssh/sftp-server")
	}},
	{"shell", "shell", func(t *testing.T) *sshtest.Daemon { return sshtest.OpenSSH(t, "") }},
	{"greeting", "shell", func(t *testing.T) *sshtest.Daemon {
		return sshtest.OpenSSH(t, "Subsystem sftp /usr/lib/openssh/sftp-server\n"+greets)
	}},
	{"busybox", "shell", func(t *testing.T) *sshtest.Daemon { return sshtest.BusyBox(t) }},
}

// greets is what a start-up file of the account's shell does that prints: it
// spoils SFTP, and comes first in each output.
const greets = `ForceCommand printf 'Welcome\nto the board'; echo motd >&2; exec sh -c "$SSH_ORIGINAL_COMMAND"`

// eachWay runs a test against a device of each kind.
func eachWay(t *testing.T, test func(t *testing.T, protocol string, device *sshtest.Daemon)) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) { test(t, way.protocol, way.start(t)) })
	}
}

// login connects to a device, by way of another address if that is not empty.
func login(t *testing.T, device *sshtest.Daemon, address string) *ssh.Client {
	t.Helper()
	if address == "" {
		address = device.Addr
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	known := fmt.Sprintf("* %s", xssh.MarshalAuthorizedKey(device.HostKey))
	writeFile(t, filepath.Join(home, ".ssh", "known_hosts"), known, 0o600)
	writeFile(t, filepath.Join(home, ".ssh", "config"), "Host *\n  IdentityFile "+device.ClientKeyFile+"\n", 0o600)
	target, err := ssh.ParseTarget("root@" + address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial(t.Context(), target, ssh.Config{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func writeFile(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

// wire leads to a device and breaks once so many bytes went through it in the
// one direction or the other.
func wire(t *testing.T, address string, breaksAfter int64) string {
	return sshtest.Listen(t, func(near net.Conn) {
		far, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer far.Close()
		defer near.Close()
		done := make(chan struct{}, 2)
		pass := func(to, from net.Conn) {
			_, _ = io.CopyN(to, from, breaksAfter)
			done <- struct{}{}
		}
		go pass(far, near)
		go pass(near, far)
		<-done
	})
}
