package provision

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

// hangingUtil says that it has started, and then never ends.
const hangingUtil = `echo started; touch "$taken"; exec sleep 600`

// realShells are those whose processes can be signalled.
func realShells(t *testing.T, test func(t *testing.T, shell *localShell)) {
	shells(t, func(t *testing.T, device Device) {
		shell, ok := device.(*localShell)
		if ok {
			test(t, shell)
		}
	})
}

// await waits for something that happens in another process. The test's own
// time-out ends it.
func await(t *testing.T, happened func() bool) {
	t.Helper()
	for !happened() {
		select {
		case <-t.Context().Done():
			t.Fatal("the test ended first")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (b *board) awaitUtil() {
	await(b.t, func() bool { _, err := os.Stat(b.taken); return err == nil })
}

func (b *board) awaitNothingLeft() {
	await(b.t, func() bool { _, err := os.Lstat(b.place.credentials); return errors.Is(err, os.ErrNotExist) })
}

func TestASignalTidiesUp(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			realShells(t, func(t *testing.T, shell *localShell) {
				b := newBoard(t, hangingUtil)
				shell.started = func(command *exec.Cmd) {
					go func() { b.awaitUtil(); _ = command.Process.Signal(signal) }()
				}
				answer, err := send(t.Context(), shell, b.place, someVariables)
				if !errors.Is(err, ErrStopped) || !answer.Tidied {
					t.Errorf("err = %v, the answer is %+v", err, answer)
				}
				b.assertNothingLeft()
			})
		})
	}
}

func TestAUtilThatNeverEndsIsStopped(t *testing.T) {
	realShells(t, func(t *testing.T, shell *localShell) {
		b := newBoard(t, hangingUtil)
		b.place.patience = time.Second
		answer, err := send(t.Context(), shell, b.place, someVariables)
		if !errors.Is(err, ErrSlow) || !answer.Tidied {
			t.Errorf("err = %v, the answer is %+v", err, answer)
		}
		b.assertNothingLeft()
	})
}

func TestASignOfLifeInTheMidstOfALineIsTakenOut(t *testing.T) {
	realShells(t, func(t *testing.T, shell *localShell) {
		b := newBoard(t, `printf 'one '; sleep 1.5; printf 'line'; printf 'mbl-0 end provision 0' >&2`)
		answer, err := send(t.Context(), shell, b.place, someVariables)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Provision.Stdout != "one line" || answer.Provision.Stderr != "mbl-0 end provision 0" {
			t.Errorf("the util's words: %+v", answer.Provision)
		}
	})
}

// onRealServers runs a test over other people's SSH servers.
func onRealServers(t *testing.T, test func(t *testing.T, client *ssh.Client)) {
	servers := map[string]func(t *testing.T) *sshtest.Daemon{
		"OpenSSH":  func(t *testing.T) *sshtest.Daemon { return sshtest.OpenSSH(t, "") },
		"Dropbear": func(t *testing.T) *sshtest.Daemon { return sshtest.Dropbear(t) },
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) { test(t, login(t, start(t))) })
	}
}

func login(t *testing.T, daemon *sshtest.Daemon) *ssh.Client {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte("Host *\n  IdentityFile "+daemon.ClientKeyFile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	target, err := ssh.ParseTarget(daemon.Addr)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial(t.Context(), target, ssh.Config{Home: home, AcceptNewHostKey: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestProvisioningOverRealServers(t *testing.T) {
	onRealServers(t, func(t *testing.T, client *ssh.Client) {
		b := newBoard(t, goodUtil)
		answer, err := send(t.Context(), client, b.place, someVariables)
		if err != nil || !answer.Tidied || answer.Status == nil {
			t.Fatalf("%v; the answer is %+v", err, answer)
		}
		for _, variable := range someVariables {
			data, err := os.ReadFile(filepath.Join(b.taken, variable.Name+".bin"))
			if err != nil || !bytes.Equal(data, variable.Data) {
				t.Errorf("%s arrived as %q, %v", variable.Name, data, err)
			}
		}
		b.assertNothingLeft()
	})
}

func TestNothingStaysWhenTheConnectionIsLost(t *testing.T) {
	onRealServers(t, func(t *testing.T, client *ssh.Client) {
		b := newBoard(t, hangingUtil)
		go func() { b.awaitUtil(); client.Close() }()
		if _, err := send(t.Context(), client, b.place, someVariables); !errors.Is(err, ssh.ErrDropped) {
			t.Errorf("err = %v", err)
		}
		b.awaitNothingLeft()
	})
}

func TestNothingStaysAfterCtrlC(t *testing.T) {
	onRealServers(t, func(t *testing.T, client *ssh.Client) {
		b := newBoard(t, hangingUtil)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { b.awaitUtil(); cancel() }()
		if _, err := send(ctx, client, b.place, someVariables); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v", err)
		}
		b.awaitNothingLeft()
	})
}

func TestADeviceWithoutAShell(t *testing.T) {
	shell := &localShell{command: []string{sshtest.Program(t, "sh", "dash"), "-c", "echo Welcome. >&2; echo This account is not available. >&2; exit 1"}}
	b := newBoard(t, goodUtil)
	_, err := send(t.Context(), shell, b.place, someVariables)
	var said *DeviceError
	if !errors.Is(err, ErrNoAnswer) || !errors.As(err, &said) || said.Said != "This account is not available." {
		t.Errorf("err = %v", err)
	}
}

func TestADeviceThatNeverStopsTalking(t *testing.T) {
	shell := &localShell{command: []string{sshtest.Program(t, "sh", "dash"), "-c", "exec yes"}}
	b := newBoard(t, goodUtil)
	if _, err := send(t.Context(), shell, b.place, someVariables); !errors.Is(err, ErrFloods) {
		t.Errorf("err = %v", err)
	}
}

// mounted runs the shells where a folder is a file system of its own. Mounting
// takes root.
func mounted(t *testing.T, options, folder string, test func(t *testing.T, shell *localShell)) {
	unshare := sshtest.Program(t, "unshare", "util-linux")
	realShells(t, func(t *testing.T, shell *localShell) {
		mount := []string{unshare, "--mount", "sh", "-c", `mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"`, "sh", options, folder}
		test(t, &localShell{command: append(mount, shell.command...)})
	})
}

func TestAScratchThatTakesNothing(t *testing.T) {
	tests := map[string]struct {
		options string
		want    error
	}{
		"read-only": {"ro", ErrReadOnly},
		"full":      {"size=4k", ErrNoSpace},
		"no inodes": {"nr_inodes=2", ErrNoSpace},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, goodUtil)
			mounted(t, test.options, filepath.Dir(b.place.credentials), func(t *testing.T, shell *localShell) {
				answer, err := send(t.Context(), shell, b.place, someVariables)
				if !errors.Is(err, test.want) {
					t.Errorf("err = %v, want %v", err, test.want)
				}
				if answer.Provision != nil {
					t.Error("the util was run")
				}
			})
		})
	}
}

func TestAFolderThatCannotBeDeletedIsSaid(t *testing.T) {
	b := newBoard(t, goodUtil)
	if err := os.Mkdir(b.place.credentials, 0o700); err != nil {
		t.Fatal(err)
	}
	mounted(t, "size=1m", b.place.credentials, func(t *testing.T, shell *localShell) {
		answer, err := send(t.Context(), shell, b.place, someVariables)
		if !errors.Is(err, ErrSecretsLeft) || !errors.Is(err, ErrWrite) || answer.Tidied {
			t.Errorf("err = %v, the answer is %+v", err, answer)
		}
	})
}

// talker is a device that prints without end and never gives up.
type talker struct{}

func (talker) Run(ctx context.Context, command ssh.Command) (int, error) {
	for ctx.Err() == nil {
		if _, err := command.Stdout.Write(make([]byte, 1<<10)); err != nil {
			return 0, err
		}
		time.Sleep(time.Second)
	}
	return 0, ctx.Err()
}

func TestADeviceThatNeverStopsPrintingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := Ask(t.Context(), talker{})
		if !errors.Is(err, ErrHangs) || time.Since(start) > 2*time.Minute {
			t.Errorf("asked: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		_, err = Send(t.Context(), talker{}, someVariables)
		if !errors.Is(err, ErrHangs) || time.Since(start) > 10*time.Minute {
			t.Errorf("sent: %v after %v", err, time.Since(start))
		}
	})
}
