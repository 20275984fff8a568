package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mbl/internal/program/programtest"
	"mbl/internal/secret"
	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

// entry is a Host entry for a daemon.
func entry(name string, d *sshtest.Daemon, more ...string) string {
	host, port, _ := net.SplitHostPort(d.Addr)
	return fmt.Sprintf("Host %s\n  HostName %s\n  Port %s\n  User root\n  IdentityFile %s\n  %s\n", name, host, port, d.ClientKeyFile, strings.Join(more, "\n  "))
}

// knowsAll puts the daemons' host keys into known_hosts.
func (p *person) knowsAll(daemons ...*sshtest.Daemon) {
	var text strings.Builder
	for _, d := range daemons {
		host, port, _ := net.SplitHostPort(d.Addr)
		fmt.Fprintf(&text, "[%s]:%s %s", host, port, authorizedLine(d))
	}
	p.file("known_hosts", text.String())
}

func (p *person) runAt(alias, line string) (string, error) {
	p.t.Helper()
	client, err := ssh.Dial(p.t.Context(), ssh.Target{Alias: alias}, p.config)
	if err != nil {
		return "", err
	}
	defer client.Close()
	var output bytes.Buffer
	_, err = client.Run(p.t.Context(), ssh.Command{Line: line, Stdout: &output})
	return strings.TrimSpace(output.String()), err
}

func TestThroughTwoJumpHosts(t *testing.T) {
	outer, inner, board := sshtest.OpenSSH(t, "SetEnv PLACE=outer"), sshtest.OpenSSH(t, "SetEnv PLACE=inner"), sshtest.OpenSSH(t, "SetEnv PLACE=board")
	for name, config := range map[string]string{
		"a list":     entry("outer", outer) + entry("inner", inner) + entry("board", board, "ProxyJump outer,inner"),
		"each other": entry("outer", outer) + entry("inner", inner, "ProxyJump outer") + entry("board", board, "ProxyJump root@inner"),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t)
			p.file("config", config)
			p.knowsAll(outer, inner, board)
			if place, err := p.runAt("board", "echo $PLACE"); err != nil || place != "board" {
				t.Errorf("reached %q, %v", place, err)
			}
			p.knowsAll(outer, board)
			_, err := p.runAt("board", "true")
			var refusal *ssh.HostKeyError
			if !errors.Is(err, ssh.ErrHostKeyUnknown) || !errors.As(err, &refusal) || !strings.Contains(refusal.Host, port(inner)) {
				t.Errorf("err = %v, want the unknown key of the inner host", err)
			}
		})
	}
}

func port(d *sshtest.Daemon) string {
	_, port, _ := net.SplitHostPort(d.Addr)
	return port
}

func TestAJumpHostThatRefusesTheLoginIsNamed(t *testing.T) {
	gate, board := sshtest.OpenSSH(t, ""), sshtest.OpenSSH(t, "")
	p := newPerson(t)
	p.file("config", strings.Replace(entry("gate", gate), gate.ClientKeyFile, board.ClientKeyFile, 1)+entry("board", board, "ProxyJump gate"))
	p.knowsAll(gate, board)
	_, err := p.runAt("board", "true")
	var login *ssh.LoginError
	if !errors.As(err, &login) || !login.Jump || login.Host != "root@"+gate.Addr {
		t.Errorf("err = %+v, want a login refused by %s", err, gate.Addr)
	}
}

func TestAJumpHostThatCannotReachTheDevice(t *testing.T) {
	gate := sshtest.OpenSSH(t, "")
	p := newPerson(t)
	p.file("config", entry("gate", gate)+"Host board\n  HostName 127.0.0.1\n  Port "+closedPort(t)+"\n  ProxyJump gate\n")
	p.knowsAll(gate)
	if _, err := p.runAt("board", "true"); !errors.Is(err, ssh.ErrUnreachable) || !strings.Contains(err.Error(), gate.Addr) {
		t.Errorf("err = %v", err)
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func TestAProxyCommandCarriesTheLoginAndEndsWithIt(t *testing.T) {
	gate, board := sshtest.OpenSSH(t, ""), sshtest.OpenSSH(t, "")
	p := newPerson(t)
	p.knowsAll(gate, board)
	pidFile := filepath.Join(t.TempDir(), "pid")
	known := filepath.Join(p.config.Home, ".ssh", "known_hosts")
	script := p.file("proxy", fmt.Sprintf("#!/bin/sh\necho proxying >&2\necho $$ > %s\nexec ssh -F none -o UserKnownHostsFile=%s -i %s -p %s -W $1:$2 root@127.0.0.1\n",
		pidFile, known, gate.ClientKeyFile, port(gate)))
	p.file("config", entry("board", board, "ProxyCommand sh "+script+" %h %p"))
	var stderr bytes.Buffer
	p.config.Stderr = &stderr
	if said, err := p.runAt("board", "echo there"); err != nil || said != "there" {
		t.Fatalf("%q, %v", said, err)
	}
	if !strings.Contains(stderr.String(), "proxying") {
		t.Errorf("the command's messages were not shown: %q", stderr.String())
	}
	pid := 0
	text, _ := os.ReadFile(pidFile)
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the command still runs: %v", err)
	}
}

func TestAProxyCommandThatFailsIsQuoted(t *testing.T) {
	p := newPerson(t)
	p.file("config", "Host board\n  ProxyCommand echo no way to %h >&2; exit 3\n")
	if _, err := p.runAt("board", "true"); !errors.Is(err, ssh.ErrUnreachable) || !strings.Contains(err.Error(), "no way to board") {
		t.Errorf("err = %v", err)
	}
}

func TestAProxyCommandThatSaysNothingTimesOut(t *testing.T) {
	p := newPerson(t)
	p.config.Timeout = 300 * time.Millisecond
	p.file("config", "Host board\n  ProxyCommand sleep 60\n")
	if _, err := p.runAt("board", "true"); !errors.Is(err, ssh.ErrTimeout) {
		t.Errorf("err = %v", err)
	}
}

// realAgent runs ssh-agent with the daemon's key in it, behind as many others.
func (p *person) realAgent(keyFile string, others int) {
	p.t.Helper()
	socket := filepath.Join(p.t.TempDir(), "agent")
	command := exec.Command(sshtest.Program(p.t, "ssh-agent", "openssh-client"), "-D", "-a", socket)
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	programtest.AwaitFile(p.t, socket)
	p.config.AgentSocket = socket
	for i := range others {
		name := fmt.Sprintf("other%d", i)
		p.hasKey(name, "")
		p.sshAdd(nil, filepath.Join(p.config.Home, ".ssh", name))
	}
	p.sshAdd(nil, keyFile)
}

func (p *person) sshAdd(environment []string, arguments ...string) {
	p.t.Helper()
	command := exec.Command(sshtest.Program(p.t, "ssh-add", "openssh-client"), arguments...)
	command.Env = append(append(os.Environ(), "SSH_AUTH_SOCK="+p.config.AgentSocket), environment...)
	if output, err := command.CombinedOutput(); err != nil {
		p.t.Fatalf("ssh-add: %v\n%s", err, output)
	}
}

func TestARealAgent(t *testing.T) {
	board := sshtest.OpenSSH(t, "")
	p := newPerson(t)
	p.knowsAll(board)
	p.realAgent(board.ClientKeyFile, 0)
	if err := p.dial("root@" + board.Addr); err != nil {
		t.Fatal(err)
	}
	p.file("config", "IdentityAgent none\n")
	if err := p.dial("root@" + board.Addr); !errors.Is(err, ssh.ErrLoginRefused) {
		t.Errorf("with IdentityAgent none: %v", err)
	}
	socket := p.config.AgentSocket
	p.config.AgentSocket = ""
	p.config.Getenv = func(name string) string { return map[string]string{"MY_AGENT": socket}[name] }
	p.file("config", "IdentityAgent $MY_AGENT\n")
	if err := p.dial("root@" + board.Addr); err != nil {
		t.Errorf("with IdentityAgent $MY_AGENT: %v", err)
	}
}

func TestALockedAgentIsSaid(t *testing.T) {
	board := sshtest.OpenSSH(t, "")
	p := newPerson(t)
	p.knowsAll(board)
	p.realAgent(board.ClientKeyFile, 0)
	script := p.file("askpass", "#!/bin/sh\necho password\n")
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	p.sshAdd([]string{"SSH_ASKPASS=" + script, "SSH_ASKPASS_REQUIRE=force"}, "-x")
	err := p.dial("root@" + board.Addr)
	if !errors.Is(err, ssh.ErrLoginRefused) || !strings.Contains(err.Error(), "locked") {
		t.Errorf("err = %v, want a note about the locked agent", err)
	}
}

func TestTooManyKeysOfTheAgent(t *testing.T) {
	board := sshtest.OpenSSH(t, "MaxAuthTries 2")
	p := newPerson(t)
	p.knowsAll(board)
	p.realAgent(board.ClientKeyFile, 4)
	err := p.dial("root@" + board.Addr)
	var login *ssh.LoginError
	if !errors.As(err, &login) || !login.TooMany {
		t.Fatalf("err = %v, want too many failures", err)
	}
	p.file("config", "Host *\n  IdentitiesOnly yes\n  IdentityFile "+board.ClientKeyFile+"\n")
	if err := p.dial("root@" + board.Addr); err != nil {
		t.Errorf("with IdentitiesOnly: %v", err)
	}
}

func TestAnEncryptedKeyAtARealServer(t *testing.T) {
	board := sshtest.OpenSSH(t, "")
	keygen := sshtest.Program(t, "ssh-keygen", "openssh-client")
	if output, err := exec.Command(keygen, "-q", "-p", "-N", "open sesame", "-f", board.ClientKeyFile).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	p := newPerson(t)
	p.knowsAll(board)
	p.file("config", entry("board", board))
	if _, err := p.runAt("board", "true"); !errors.Is(err, ssh.ErrLoginRefused) || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("with nobody to ask: %v", err)
	}
	p.config.AskPassphrase = func(context.Context, string) (secret.Text, error) { return secret.New("open sesame"), nil }
	if _, err := p.runAt("board", "true"); err != nil {
		t.Errorf("with the passphrase: %v", err)
	}
	p.file("config", entry("board", board, "BatchMode yes"))
	if _, err := p.runAt("board", "true"); !errors.Is(err, ssh.ErrLoginRefused) {
		t.Errorf("with BatchMode: %v", err)
	}
}

func TestKeyFilesThatCannotBeUsedAreNamed(t *testing.T) {
	board := sshtest.OpenSSH(t, "")
	good, err := os.ReadFile(board.ClientKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(board.ClientKeyFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		content []byte
		mode    os.FileMode
		want    string
	}{
		"readable by all": {good, 0o644, "chmod 600"},
		"of PuTTY":        {[]byte("PuTTY-User-Key-File-3: ssh-ed25519\n"), 0o600, "puttygen"},
		"public":          {public, 0o600, "it is a public key"},
		"empty":           {nil, 0o600, "it is empty"},
		"truncated":       {good[:len(good)/2], 0o600, "not a usable private key"},
		"not text":        {[]byte{0xff, 0, 0xfe}, 0o600, "not a usable private key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t)
			p.knowsAll(board)
			file := p.file("key", string(test.content))
			if err := os.Chmod(file, test.mode); err != nil {
				t.Fatal(err)
			}
			p.file("config", strings.Replace(entry("board", board), board.ClientKeyFile, file, 1))
			_, err := p.runAt("board", "true")
			if !errors.Is(err, ssh.ErrLoginRefused) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v, want %s and %q", err, file, test.want)
			}
		})
	}
}

func TestAServerOfOldAlgorithms(t *testing.T) {
	board := sshtest.OpenSSH(t, "KexAlgorithms diffie-hellman-group14-sha1\n")
	p := newPerson(t)
	p.knowsAll(board)
	p.file("config", entry("board", board, "KexAlgorithms curve25519-sha256"))
	_, err := p.runAt("board", "true")
	if !errors.Is(err, ssh.ErrProtocol) || !strings.Contains(err.Error(), "key exchange") || !strings.Contains(err.Error(), "diffie-hellman-group14-sha1") {
		t.Errorf("err = %v, want both sides' key exchange named", err)
	}
	p.file("config", entry("board", board, "KexAlgorithms +diffie-hellman-group14-sha1"))
	if _, err := p.runAt("board", "true"); err != nil {
		t.Errorf("with the old key exchange allowed: %v", err)
	}
}

func TestWhatAnswersInPlaceOfSSH(t *testing.T) {
	tests := map[string]struct {
		greeting, want string
		hangsUp        bool
	}{
		"HTTP that stays open":  {"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1.1 400 Bad Request", false},
		"SSH 1 that stays open": {"SSH-1.5-old\r\n", "SSH 1", false},
		"nothing":               {"", "without a greeting", true},
		"a full server":         {"Exceeded MaxStartups\r\n", "Exceeded MaxStartups", true},
		"noise":                 {"\x00\xff\x01\n", "it answers", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t)
			address := sshtest.Listen(t, func(conn net.Conn) {
				fmt.Fprint(conn, test.greeting)
				_, _ = conn.Read(make([]byte, 1<<10))
				if test.hangsUp {
					conn.Close()
				}
			})
			err := p.dial(address)
			if !errors.Is(err, ssh.ErrProtocol) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v, want %q", err, test.want)
			}
		})
	}
}

func TestTheWordsOfAServerThatRefuses(t *testing.T) {
	banner := filepath.Join(t.TempDir(), "banner")
	if err := os.WriteFile(banner, []byte("This account has expired.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	board := sshtest.OpenSSH(t, "Banner "+banner+"\nDenyUsers root")
	p := newPerson(t)
	p.knowsAll(board)
	p.file("config", entry("board", board))
	if _, err := p.runAt("board", "true"); !errors.Is(err, ssh.ErrLoginRefused) || !strings.Contains(err.Error(), "This account has expired.") {
		t.Errorf("err = %v", err)
	}
}

func TestANameThatIsNotKnown(t *testing.T) {
	p := newPerson(t)
	if err := p.dial("no-such-board.invalid"); !errors.Is(err, ssh.ErrUnreachable) || !strings.Contains(err.Error(), "no-such-board.invalid") {
		t.Errorf("err = %v", err)
	}
}

func TestLoginMethodsThatAreSwitchedOff(t *testing.T) {
	p := newPerson(t)
	asked := 0
	address := start(t, p, takesPassword("secret", &asked))
	for _, setting := range []string{"PasswordAuthentication no", "PreferredAuthentications publickey"} {
		p.file("config", setting+"\n")
		if err := p.dial(address, withPassword("secret")); !errors.Is(err, ssh.ErrLoginRefused) || asked != 0 {
			t.Errorf("%s: err = %v, the password was offered %d times", setting, err, asked)
		}
	}
}

// fakeSSH stands in for the ssh program.
func fakeSSH(t *testing.T, script string) {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "ssh"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
}

func TestWhatTheReaderCannotDecideIsPutBeforeSSH(t *testing.T) {
	b := newBoard(t)
	b.person.file("config", "Match exec \"true\"\n  Port 1\n")
	home := b.person.config.Home
	fakeSSH(t, fmt.Sprintf("echo hostname 127.0.0.1\necho port %s\necho user maker\necho identityfile %s/.ssh/board_key\necho userknownhostsfile %s/.ssh/known_hosts\n", b.port, home, home))
	if err := b.dialAlias(t, "board"); err != nil || b.user != "maker" {
		t.Errorf("logged in as %q, %v", b.user, err)
	}
}

func TestWhatSSHSaysIsNotPassedOverEither(t *testing.T) {
	tests := map[string]struct{ script, want string }{
		"it fails":             {"echo bad line >&2; exit 255\n", "bad line"},
		"a setting it follows": {"echo hostname 127.0.0.1\necho revokedhostkeys /x\n", "revokedhostkeys"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			b.person.file("config", "Match exec \"true\"\n  Port 1\n")
			fakeSSH(t, test.script)
			if err := b.dialAlias(t, "board"); !errors.Is(err, ssh.ErrConfig) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v, want %q", err, test.want)
			}
		})
	}
}

func TestWithoutAnSSHProgramTheLineIsNamed(t *testing.T) {
	b := newBoard(t)
	file := b.person.file("config", "Port 1\nMatch exec \"true\"\n  Port 1\n")
	t.Setenv("PATH", t.TempDir())
	if err := b.dialAlias(t, "board"); !errors.Is(err, ssh.ErrConfig) || !strings.Contains(err.Error(), file+":2") {
		t.Errorf("err = %v, want line 2 named", err)
	}
}
