package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

type shell func(line string, stdin io.Reader, stdout, stderr io.Writer) uint32

// connect logs in to a server in this process whose commands are run.
func connect(t *testing.T, run shell) (*sshtest.Server, *ssh.Client) {
	t.Helper()
	p := newPerson(t)
	server := &sshtest.Server{Auth: xssh.ServerConfig{NoClientAuth: true}, Run: run}
	address := server.Start(t)
	p.knows(address, server.HostKey.PublicKey())
	return server, login(t, p, address)
}

func login(t *testing.T, p *person, address string) *ssh.Client {
	t.Helper()
	target, err := ssh.ParseTarget(address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial(t.Context(), target, p.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// daemons are the real servers, each with a person who may log in.
func daemons(t *testing.T, test func(t *testing.T, client *ssh.Client)) {
	servers := map[string]func(t *testing.T) *sshtest.Daemon{
		"OpenSSH":  func(t *testing.T) *sshtest.Daemon { return sshtest.OpenSSH(t, "") },
		"Dropbear": func(t *testing.T) *sshtest.Daemon { return sshtest.Dropbear(t) },
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			daemon := start(t)
			p := newPerson(t)
			p.file("config", "Host *\n  IdentityFile "+daemon.ClientKeyFile+"\n")
			p.knows(daemon.Addr, daemon.HostKey)
			test(t, login(t, p, daemon.Addr))
		})
	}
}

func TestRealServersRunCommands(t *testing.T) {
	daemons(t, func(t *testing.T, client *ssh.Client) {
		data := make([]byte, 1<<20)
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		var stdout, stderr bytes.Buffer
		exit, err := client.Run(t.Context(), ssh.Command{
			Line: "cat; echo problem >&2; exit 7", Stdin: bytes.NewReader(data), Stdout: &stdout, Stderr: &stderr,
		})
		if err != nil || exit != 7 {
			t.Errorf("exit %d, %v; want 7", exit, err)
		}
		if !bytes.Equal(stdout.Bytes(), data) || stderr.String() != "problem\n" {
			t.Errorf("%d bytes came back, stderr %q", stdout.Len(), &stderr)
		}
		if exit, err := client.Run(t.Context(), ssh.Command{Line: "kill -TERM $$"}); err != nil || exit != 128+15 {
			t.Errorf("a killed command: exit %d, %v", exit, err)
		}
		if exit, err := client.Run(t.Context(), ssh.Command{Line: "true"}); err != nil || exit != 0 {
			t.Errorf("the next command: exit %d, %v", exit, err)
		}
	})
}

func TestCtrlCEndsTheCommandAndItsConnection(t *testing.T) {
	daemons(t, func(t *testing.T, client *ssh.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := client.Run(ctx, ssh.Command{Line: "echo ready; sleep 60", Stdout: &onFirstWrite{call: cancel}}); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v", err)
		}
		if _, err := client.Run(t.Context(), ssh.Command{Line: "true"}); !errors.Is(err, ssh.ErrDropped) {
			t.Errorf("the connection is still open: %v", err)
		}
	})
}

// OpenSSH passes signals on for every account but root, Dropbear for all.
func TestACommandThatIsToldToHangUpMayTidyUp(t *testing.T) {
	daemon := sshtest.Dropbear(t)
	p := newPerson(t)
	p.file("config", "Host *\n  IdentityFile "+daemon.ClientKeyFile+"\n")
	p.knows(daemon.Addr, daemon.HostKey)
	client := login(t, p, daemon.Addr)
	ctx, cancel := context.WithCancel(t.Context())
	stdout := &onFirstWrite{call: cancel}
	line := "trap 'echo tidy; exit 1' HUP; echo ready; while :; do sleep 0.1; done"
	if _, err := client.Run(ctx, ssh.Command{Line: line, Stdout: stdout}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if got := stdout.written.String(); got != "ready\ntidy\n" {
		t.Errorf("output %q", got)
	}
}

// onFirstWrite calls a function once something was written.
type onFirstWrite struct {
	written bytes.Buffer
	call    func()
}

func (w *onFirstWrite) Write(p []byte) (int, error) {
	defer w.call()
	return w.written.Write(p)
}

// A device that floods one stream is left while the other still comes in.
func TestNothingIsWrittenOnceTheCommandIsLeft(t *testing.T) {
	_, client := connect(t, func(_ string, _ io.Reader, stdout, stderr io.Writer) uint32 {
		for {
			if _, err := stderr.Write(make([]byte, 1<<10)); err != nil {
				return 1
			}
			_, _ = stdout.Write([]byte("too much"))
		}
	})
	var left atomic.Bool
	stderr := writerFunc(func(p []byte) (int, error) {
		if left.Load() {
			t.Error("written after Run returned")
		}
		return len(p), nil
	})
	stdout := writerFunc(func([]byte) (int, error) { return 0, errors.New("full") })
	if _, err := client.Run(t.Context(), ssh.Command{Line: "flood", Stdout: stdout, Stderr: stderr}); err == nil {
		t.Error("no error")
	}
	left.Store(true)
	time.Sleep(50 * time.Millisecond)
}

type writerFunc func(p []byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

func TestRealOpenSSHRefusesAStranger(t *testing.T) {
	daemon := sshtest.OpenSSH(t, "PasswordAuthentication yes\nMaxAuthTries 2")
	p := newPerson(t)
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		p.hasKey(name, "")
	}
	p.knows(daemon.Addr, daemon.HostKey)
	err := p.dial(daemon.Addr, withPassword("wrong"))
	var refused *ssh.LoginError
	if !errors.As(err, &refused) || len(refused.Tried) < 2 {
		t.Errorf("err = %v", err)
	}
}

func TestTheKnownHostKeyIsAskedForAmongSeveral(t *testing.T) {
	extra := filepath.Join(t.TempDir(), "extra")
	p := newPerson(t)
	p.hasKey("extra", "")
	if err := os.Rename(filepath.Join(p.config.Home, ".ssh", "extra"), extra); err != nil {
		t.Fatal(err)
	}
	daemon := sshtest.OpenSSH(t, "HostKey "+extra) // an ed25519 key beside the ECDSA one
	p.file("config", "Host *\n  IdentityFile "+daemon.ClientKeyFile+"\n")
	p.knows(daemon.Addr, daemon.HostKey)
	login(t, p, daemon.Addr)
}

func TestADroppedConnectionIsNoExitStatus(t *testing.T) {
	var server *sshtest.Server
	server, client := connect(t, func(_ string, stdin io.Reader, _, _ io.Writer) uint32 {
		_, _ = stdin.Read(make([]byte, 1))
		server.DropAll()
		return 0
	})
	endless, _ := io.Pipe()
	_, err := client.Run(t.Context(), ssh.Command{Line: "x", Stdin: io.MultiReader(bytes.NewReader([]byte("x")), endless)})
	if !errors.Is(err, ssh.ErrDropped) {
		t.Errorf("err = %v", err)
	}
	if _, err := client.Run(t.Context(), ssh.Command{Line: "y"}); !errors.Is(err, ssh.ErrDropped) {
		t.Errorf("afterwards: err = %v", err)
	}
}

func TestACommandAskedForAsTheConnectionEndsDoesNotWaitForEver(t *testing.T) {
	for range 20 {
		server, client := connect(t, func(string, io.Reader, io.Writer, io.Writer) uint32 { return 0 })
		var commands sync.WaitGroup
		for range 20 {
			commands.Go(func() {
				for err := error(nil); err == nil; {
					_, err = client.Run(t.Context(), ssh.Command{Line: "x"})
				}
			})
		}
		server.DropAll()
		commands.Wait()
		client.Close()
	}
}

// A device that loses power sends nothing at all.
func TestAVanishedDeviceIsNoticed(t *testing.T) {
	vanish := make(chan struct{})
	p := newPerson(t)
	p.config.KeepAlive = 200 * time.Millisecond
	server := &sshtest.Server{Auth: xssh.ServerConfig{NoClientAuth: true}, Run: func(string, io.Reader, io.Writer, io.Writer) uint32 {
		close(vanish)
		select {}
	}}
	device := server.Start(t)
	relay := sshtest.Listen(t, relayUntil(device, vanish))
	p.knows(relay, server.HostKey.PublicKey())
	client := login(t, p, relay)
	if _, err := client.Run(t.Context(), ssh.Command{Line: "x"}); !errors.Is(err, ssh.ErrDropped) {
		t.Errorf("err = %v", err)
	}
}

// relayUntil passes everything on until vanish, then keeps the connections
// open and passes nothing.
func relayUntil(address string, vanish <-chan struct{}) func(net.Conn) {
	return func(near net.Conn) {
		far, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer far.Close()
		pass := func(to, from net.Conn) {
			buffer := make([]byte, 1<<15)
			for {
				n, err := from.Read(buffer)
				if err != nil {
					return
				}
				select {
				case <-vanish:
					continue
				default:
					_, _ = to.Write(buffer[:n])
				}
			}
		}
		go pass(near, far)
		pass(far, near)
	}
}

func TestAServerThatRunsNothing(t *testing.T) {
	_, client := connect(t, nil)
	if _, err := client.Run(t.Context(), ssh.Command{Line: "true"}); !errors.Is(err, ssh.ErrExec) {
		t.Errorf("err = %v", err)
	}
}
