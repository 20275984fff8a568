package cli_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shellAtWork is a shell with a terminal and mbl-cli's completion. Each line
// says what stands before the cursor once Ctrl-T is pressed.
type shellAtWork struct {
	name    string
	program []string
	// setUp makes the shell complete and ask with "ready>".
	setUp string
}

var shellsAtWork = []shellAtWork{
	{
		name: "bash", program: []string{"bash", "--norc", "--noprofile", "-i"},
		setUp: `. /usr/share/bash-completion/bash_completion; . <(mbl-cli completion bash); bind 'set bell-style none'; bind -x '"\C-t": printf "@%s@" "$READLINE_LINE"'; PS1='ready''>'`,
	},
	{
		name: "zsh", program: []string{"zsh", "-f", "-i"},
		setUp: `autoload -Uz compinit; compinit -u -D; source <(mbl-cli completion zsh); typed() { printf '@%s@' "$BUFFER" }; zle -N typed; bindkey '^T' typed; unsetopt beep; PS1='ready''>'`,
	},
	{
		name: "fish", program: []string{"fish", "--no-config", "-i"},
		setUp: `mbl-cli completion fish | source; bind \ct 'printf "@%s@" (commandline)'; function fish_prompt; printf ready; printf '>'; end`,
	},
}

// What a person has when they press Tab in each shell.
func TestShellsCompleteCommandsFlagsDevicesAndCertificates(t *testing.T) {
	for _, shell := range shellsAtWork {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			mustRun(t, home, "create-update-certificate", "my updates", "--domain", "example.com", "--model", "board")
			rememberDevices(t, home)
			for _, typed := range []struct{ keys, line string }{
				{"mbl-cli prov", "mbl-cli provision-pelion "},
				{"mbl-cli list --tim", "mbl-cli list --timeout "},
				{"mbl-cli -o js", "mbl-cli -o json "},
				{"mbl-cli device ob", "mbl-cli device observe "},
				{"mbl-cli provision-pelion devices my", `mbl-cli provision-pelion devices my\ updates `},
				{"mbl-cli select kitch", "mbl-cli select kitchen "},
				{"mbl-cli -a 192.0.2.1:2", "mbl-cli -a 192.0.2.1:2222 "},
				{"mbl-cli -a fe80::", "mbl-cli -a fe80::1%eth0 "},
				{"mbl-cli --ca-file only-", "mbl-cli --ca-file only-file.pem "},
				{"mbl-cli put only-", "mbl-cli put only-file.pem "},
				{"mbl-cli list only-", "mbl-cli list only-"}, // no file belongs there
			} {
				line := strings.ReplaceAll(shell.press(t, home, typed.keys+"\t"), `\%`, "%") // as fish quotes
				if line != typed.line {
					t.Errorf("%q becomes %q, not %q", typed.keys, line, typed.line)
				}
			}
		})
	}
}

// press starts the shell, types keys and returns the line that is there then.
func (s shellAtWork) press(t *testing.T, home, keys string) string {
	t.Helper()
	term := openTerminal(t)
	cmd := exec.CommandContext(t.Context(), s.program[0], s.program[1:]...)
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "LANG=C.UTF-8"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.device, term.device, term.device
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (make needs installs it)", err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	watch := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill(); term.device.Close() })
	defer watch.Stop()

	screen := &screenReader{lines: bufio.NewReader(term.keyboard)}
	fmt.Fprintf(term.keyboard, "%s\r", s.setUp)
	screen.until(t, regexp.MustCompile(`ready>`))
	fmt.Fprintf(term.keyboard, "%s\x14", keys)
	return screen.until(t, regexp.MustCompile(`@(.*)@`))[1]
}

// screenReader collects what a program wrote on its terminal.
type screenReader struct {
	lines *bufio.Reader
	shown strings.Builder
}

func (s *screenReader) until(t *testing.T, wanted *regexp.Regexp) []string {
	t.Helper()
	for {
		if found := wanted.FindStringSubmatch(s.shown.String()); found != nil {
			s.shown.Reset()
			return found
		}
		b, err := s.lines.ReadByte()
		if err != nil {
			t.Fatalf("%v; the screen shows %q", err, s.shown.String())
		}
		s.shown.WriteByte(b)
	}
}

func mustRun(t *testing.T, home string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("mbl-cli")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = []string{"HOME=" + home}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// rememberDevices leaves what mbl-cli list leaves, and a file to complete.
func rememberDevices(t *testing.T, home string) {
	t.Helper()
	folder := filepath.Join(home, ".cache", "mbl-cli")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		filepath.Join(folder, "devices.json"): fmt.Sprintf(`{"shown": %q, "devices": [
			{"name": "kitchen", "host": "kitchen.local", "address": "192.0.2.1:2222", "addresses": ["192.0.2.1:2222"]},
			{"name": "cellar", "host": "cellar.local", "address": "fe80::1%%eth0", "addresses": ["fe80::1%%eth0"]}]}`, time.Now().Format(time.RFC3339)),
		filepath.Join(home, "only-file.pem"): "",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
