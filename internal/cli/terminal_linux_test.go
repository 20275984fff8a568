package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"mbl/internal/cli"
	"mbl/internal/iostreams"
	"mbl/internal/ssh/transfer"
)

// terminal is a pseudo-terminal: what a test writes to keyboard is typed, and
// what comes back from it is what would be on the screen.
type terminal struct{ keyboard, device *os.File }

func openTerminal(t *testing.T) terminal {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	device, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { device.Close() })
	return terminal{keyboard, device}
}

func (term terminal) echoes(t *testing.T) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(term.device.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

// start runs mbl-cli on the terminal and waits until it asks for the key.
func (term terminal) start(t *testing.T, home string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	path, err := exec.LookPath("mbl-cli")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = []string{"HOME=" + home}
	cmd.Stdin, cmd.Stderr = term.device, term.device
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	out := new(bytes.Buffer)
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	screen := make([]byte, len("API key: "))
	if _, err := io.ReadFull(term.keyboard, screen); err != nil || string(screen) != "API key: " {
		t.Fatalf("screen shows %q, %v", screen, err)
	}
	for patience := time.Now().Add(30 * time.Second); term.echoes(t); time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatal("it asks with the echo on")
		}
	}
	return cmd, out
}

func TestTheKeyIsTypedUnseen(t *testing.T) {
	term, service, home := openTerminal(t), newFakeService(t.Cleanup), t.TempDir()
	cmd, out := term.start(t, home, "--api-url", service.url, "-q", "save-api-key", "-")
	if _, err := term.keyboard.WriteString("ak_1good\n"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(term.device, "END"); err != nil {
		t.Fatal(err)
	}
	screen := make([]byte, 100)
	n, err := term.keyboard.Read(screen)
	if err != nil || strings.Contains(string(screen[:n]), "ak_") || !strings.Contains(out.String(), "Saved the API key") {
		t.Errorf("screen shows %q, %v; printed %q", screen[:n], err, out)
	}
	if !term.echoes(t) {
		t.Error("the terminal no longer echoes")
	}
}

func TestCtrlCWhileTypingTheKey(t *testing.T) {
	term, home := openTerminal(t), t.TempDir()
	cmd, _ := term.start(t, home, "--api-url", "http://127.0.0.1:1", "save-api-key", "-")
	if _, err := term.keyboard.WriteString("ak_1half\x03"); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("ended with %v", err)
	}
	if !term.echoes(t) {
		t.Error("the terminal no longer echoes")
	}
	if _, err := os.Stat(filepath.Join(home, ".mbl-store/user/config.json")); err == nil {
		t.Error("something was saved")
	}
}

func (term terminal) widen(t *testing.T, columns uint16) {
	t.Helper()
	size := &unix.Winsize{Row: 24, Col: columns}
	if err := unix.IoctlSetWinsize(int(term.keyboard.Fd()), unix.TIOCSWINSZ, size); err != nil {
		t.Fatal(err)
	}
}

// shown is all that was written on the terminal up to now.
func (term terminal) shown(t *testing.T) string {
	t.Helper()
	fmt.Fprint(term.device, "END")
	var shown strings.Builder
	part := make([]byte, 64<<10)
	for {
		n, err := term.keyboard.Read(part)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(part[:n])
		if text, whole := strings.CutSuffix(shown.String(), "END"); whole {
			return text
		}
	}
}

func TestTheListOfDevicesFitsTheTerminal(t *testing.T) {
	const all, most, fewest = "ID NAME ENDPOINT NAME STATE LAST SEEN", "ID NAME STATE LAST SEEN", "ID NAME STATE"
	service, home := newFakeService(t.Cleanup), t.TempDir()
	for columns, header := range map[uint16]string{200: all, 90: most, 60: fewest, 20: fewest} {
		term := openTerminal(t)
		term.widen(t, columns)
		code := cli.Main(t.Context(), &iostreams.System{
			Args: []string{"device", "list"}, Out: term.device, Err: os.Stderr, OutTTY: true,
			Getenv: func(name string) string {
				return map[string]string{"HOME": home, "MBED_CLOUD_SDK_HOST": service.url, "MBED_CLOUD_SDK_API_KEY": "ak_1good"}[name]
			},
		})
		first, _, _ := strings.Cut(term.shown(t), "\r\n")
		if code != 0 || strings.Join(strings.Fields(first), " ") != header {
			t.Errorf("%d columns: exit code %d, %q", columns, code, first)
		}
	}
}

// A line that is wider than the terminal wraps, and is drawn below itself time
// and again.
func TestTheProgressOfACopyFitsTheTerminal(t *testing.T) {
	const total = 1023 << 30
	for _, columns := range []uint16{20, 40, 47, 48, 63, 64, 80, 200} {
		term := openTerminal(t)
		term.widen(t, columns)
		sys := &iostreams.System{Err: term.device, ErrTTY: true, Getenv: func(string) string { return "" }}
		cli.DrawCopy(sys, []transfer.Progress{{Total: total}, {Done: total / 1000, Total: total}, {Done: total / 2, Total: total}})
		shown := term.shown(t)
		if !strings.Contains(shown, "50%") {
			t.Errorf("%d columns: half of the way is not shown: %q", columns, shown)
		}
		for line := range strings.SplitSeq(shown, "\r") {
			if width := utf8.RuneCountInString(line); width > int(columns) {
				t.Errorf("%d columns: %d are written: %q", columns, width, line)
			}
		}
	}
}
