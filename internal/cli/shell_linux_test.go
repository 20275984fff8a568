package cli_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"mbl/internal/ssh/sshtest"
)

// screen is somebody at a terminal who has started mbl-cli shell.
type screen struct {
	terminal
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Reader
}

// logIn starts an interactive shell on a device with a real SSH server.
func logIn(t *testing.T) *screen {
	t.Helper()
	device, home := sshtest.OpenSSH(t, ""), t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"known_hosts": "* " + string(ssh.MarshalAuthorizedKey(device.HostKey)),
		"config":      "Host *\n  IdentityFile " + device.ClientKeyFile + "\n",
	} {
		if err := os.WriteFile(filepath.Join(home, ".ssh", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path, err := exec.LookPath("mbl-cli")
	if err != nil {
		t.Fatal(err)
	}
	term := openTerminal(t)
	s := &screen{terminal: term, t: t, cmd: exec.CommandContext(t.Context(), path, "-a", device.Addr, "shell"), lines: bufio.NewReader(term.keyboard)}
	s.resize(40, 100)
	s.cmd.Env = []string{"HOME=" + home, "TERM=xterm-256color"}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = term.device, term.device, term.device
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *screen) resize(rows, columns uint16) {
	s.t.Helper()
	size := &unix.Winsize{Row: rows, Col: columns}
	if err := unix.IoctlSetWinsize(int(s.keyboard.Fd()), unix.TIOCSWINSZ, size); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) types(text string) {
	s.t.Helper()
	if _, err := fmt.Fprint(s.keyboard, text); err != nil {
		s.t.Fatal(err)
	}
}

// shows reads the screen up to a line that ends in text.
func (s *screen) shows(text string) {
	s.t.Helper()
	var seen strings.Builder
	for {
		line, err := s.lines.ReadString('\n')
		seen.WriteString(line)
		if err != nil {
			s.t.Fatalf("the screen never showed %q: %v\n%s", text, err, seen.String())
		}
		if strings.HasSuffix(strings.TrimRight(line, "\r\n"), text) {
			return
		}
	}
}

func TestAShellOnATerminal(t *testing.T) {
	s := logIn(t)
	s.types("exec sh\nPS1=\n")
	s.types("echo size: $(stty size) on $TERM\n")
	s.shows("size: 40 100 on xterm-256color")
	s.types("printf 'gr\\303\\266\\303\\237e\\n'\n")
	s.shows("größe")

	s.resize(50, 132)
	s.types("until [ \"$(stty size)\" = '50 132' ]; do sleep 0.1; done; echo re\"\"sized\n")
	s.shows("resized")

	// Ctrl-C ends the device's command, not mbl-cli.
	s.types("trap 'echo interr\"\"upted' INT; echo sleep\"\"ing; sleep 100\n")
	s.shows("sleeping")
	s.types("\x03")
	s.shows("interrupted")
	s.types("echo still th\"\"ere\n")
	s.shows("still there")

	s.types("exit 7\n")
	if _ = s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("ended with %v, want the shell's 7", s.cmd.ProcessState)
	}
	if !s.echoes(t) {
		t.Error("the terminal is still raw")
	}
}

func TestATerminatedShellGivesTheTerminalBack(t *testing.T) {
	s := logIn(t)
	s.types("echo re\"\"ady\n")
	s.shows("ready")
	if s.echoes(t) {
		t.Error("the terminal was not raw")
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _ = s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("ended with %v", s.cmd.ProcessState)
	}
	if !s.echoes(t) {
		t.Error("the terminal is still raw")
	}
}
