package ssh_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

func authorizedLine(d *sshtest.Daemon) string { return string(xssh.MarshalAuthorizedKey(d.HostKey)) }

func keyLine(key xssh.PublicKey) string { return string(xssh.MarshalAuthorizedKey(key)) }

// open is a server that lets everybody in.
func open(t *testing.T) (address, bracketed string, key xssh.PublicKey) {
	t.Helper()
	server := &sshtest.Server{Auth: xssh.ServerConfig{NoClientAuth: true}}
	address = server.Start(t)
	host, port, _ := net.SplitHostPort(address)
	return address, fmt.Sprintf("[%s]:%s", host, port), server.HostKey.PublicKey()
}

func keygen(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := exec.Command(sshtest.Program(t, "ssh-keygen", "openssh-client"), arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen %q: %v\n%s", arguments, err, output)
	}
	return string(output)
}

func TestWhatKnownHostsSaysAboutAHost(t *testing.T) {
	address, name, key := open(t)
	other := sshtest.NewKey(t).PublicKey()
	broken := name + " ssh-ed25519 !!!\n"
	tests := map[string]struct {
		content string
		want    error // nil: trusted
	}{
		"its key":                         {name + " " + keyLine(key), nil},
		"its key in capitals":             {strings.ToUpper(name) + " " + keyLine(key), nil},
		"its key among others":            {name + " " + keyLine(other) + name + " " + keyLine(key), nil},
		"its key without the port":        {"127.0.0.1 " + keyLine(key), nil},
		"its key for every host":          {"* " + keyLine(key), nil},
		"its key for others only":         {"*,!" + name + ",!127.0.0.1 " + keyLine(key), ssh.ErrHostKeyUnknown},
		"another key":                     {name + " " + keyLine(other), ssh.ErrHostKeyChanged},
		"another key without the port":    {"127.0.0.1 " + keyLine(other), ssh.ErrHostKeyUnknown},
		"its key, revoked":                {name + " " + keyLine(key) + "@revoked * " + keyLine(key), ssh.ErrHostKeyRevoked},
		"another one revoked":             {name + " " + keyLine(key) + "@revoked * " + keyLine(other), nil},
		"an authority is no host key":     {"@cert-authority * " + keyLine(key), ssh.ErrHostKeyUnknown},
		"a broken line for others":        {"x y\nhost ssh-ed25519 !!!\n" + name + " " + keyLine(key), nil},
		"a broken line beside its key":    {broken + name + " " + keyLine(key), nil},
		"a key of a kind of the future":   {"* ssh-new AAAAB3NzaC1uZXc=\n" + name + " " + keyLine(key), nil},
		"only a broken line":              {broken, ssh.ErrConfig},
		"a revocation nobody can read":    {name + " " + keyLine(key) + "@revoked * ssh-ed25519 !!!\n", ssh.ErrConfig},
		"an unknown mark":                 {"@trusted " + name + " " + keyLine(key), ssh.ErrHostKeyUnknown},
		"a mark before another":           {"@revoked @cert-authority * " + keyLine(other) + name + " " + keyLine(key), nil},
		"carriage returns and no newline": {"# mine\r\n" + name + " " + strings.TrimSpace(keyLine(key)) + "\r", nil},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			p := newPerson(t)
			p.file("known_hosts", test.content)
			if err := p.dial(address); !errors.Is(err, test.want) {
				t.Errorf("err = %v, want %v", err, test.want)
			}
		})
	}
}

func TestConsentDoesNotCoverALineNobodyCanRead(t *testing.T) {
	address, name, _ := open(t)
	p := newPerson(t)
	p.config.AcceptNewHostKey = true
	var warnings []string
	p.config.Warn = func(text string) { warnings = append(warnings, text) }
	file := p.file("known_hosts", "# first\n"+name+" ssh-ed25519 !!!\n")
	if err := p.dial(address); !errors.Is(err, ssh.ErrConfig) || !strings.Contains(err.Error(), file+":2") {
		t.Errorf("err = %v, want line 2 named", err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], file+":2") {
		t.Errorf("warnings: %q", warnings)
	}
}

func TestHashedNamesOfSSHAreRead(t *testing.T) {
	address, name, key := open(t)
	p := newPerson(t)
	file := p.file("known_hosts", name+" "+keyLine(key))
	keygen(t, "-H", "-f", file)
	if content, err := os.ReadFile(file); err != nil || strings.Contains(string(content), "127.0.0.1") {
		t.Fatalf("ssh-keygen has not hashed the name: %s %v", content, err)
	}
	if err := p.dial(address); err != nil {
		t.Error(err)
	}
}

func TestHashKnownHostsHidesTheNameAndSSHFindsIt(t *testing.T) {
	address, name, _ := open(t)
	p := newPerson(t)
	p.config.AcceptNewHostKey = true
	p.file("config", "HashKnownHosts yes\n")
	if err := p.dial(address); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.config.Home, ".ssh", "known_hosts")
	content, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(content), "|1|") {
		t.Errorf("known_hosts: %s %v", content, err)
	}
	if found := keygen(t, "-F", name, "-f", file); !strings.Contains(found, "found") {
		t.Errorf("ssh-keygen -F: %s", found)
	}
}

func TestTheRemedyForAChangedKeyMendsIt(t *testing.T) {
	address, name, _ := open(t)
	old := keyLine(sshtest.NewKey(t).PublicKey())
	for title, lines := range map[string]string{
		"its own entries": name + " " + old + name + " " + keyLine(sshtest.NewKey(t).PublicKey()),
		"patterns":        "# first\n[127.0.0.*]:* " + old + "x " + old + "[127*]:* " + old,
		"both":            "[127*]:* " + old + name + " " + old,
	} {
		t.Run(title, func(t *testing.T) {
			p := newPerson(t)
			mine := p.file("it's mine", lines)
			p.file("config", "UserKnownHostsFile ~/.ssh/new \""+mine+"\"\n")
			p.config.AcceptNewHostKey = true
			err := p.dial(address)
			var refusal *ssh.HostKeyError
			if !errors.Is(err, ssh.ErrHostKeyChanged) || !errors.As(err, &refusal) {
				t.Fatalf("err = %v", err)
			}
			if output, err := exec.Command("sh", "-c", refusal.Remedy()).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", refusal.Remedy(), err, output)
			}
			if err := p.dial(address); err != nil {
				t.Errorf("after %s: %v", refusal.Remedy(), err)
			}
			if content, _ := os.ReadFile(mine); strings.Contains(lines, "x ") && !strings.Contains(string(content), "x ") {
				t.Errorf("the remedy took another host's line: %s", content)
			}
		})
	}
}

func TestAHostKeyAliasIsTheNameInKnownHosts(t *testing.T) {
	address, _, key := open(t)
	p := newPerson(t)
	p.file("config", "HostKeyAlias Shelf\n")
	p.file("known_hosts", "shelf "+keyLine(key))
	if err := p.dial(address); err != nil {
		t.Error(err)
	}
	p.file("known_hosts", "shelf "+keyLine(sshtest.NewKey(t).PublicKey()))
	if err := p.dial(address); !errors.Is(err, ssh.ErrHostKeyChanged) {
		t.Errorf("err = %v", err)
	}
}

func TestAHostWithSeveralKeysShowsTheKnownOne(t *testing.T) {
	folder := t.TempDir()
	second := filepath.Join(folder, "second")
	keygen(t, "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", second)
	board := sshtest.OpenSSH(t, "HostKey "+second)
	public, err := os.ReadFile(second + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	for title, line := range map[string]string{"ECDSA": authorizedLine(board), "RSA": string(public)} {
		p := newPerson(t)
		p.file("config", entry("board", board))
		p.file("known_hosts", "[127.0.0.1]:"+port(board)+" "+line)
		if _, err := p.runAt("board", "true"); err != nil {
			t.Errorf("with its %s key known: %v", title, err)
		}
	}
}

func TestAHostCertificate(t *testing.T) {
	folder := t.TempDir()
	authority, host := filepath.Join(folder, "authority"), filepath.Join(folder, "host")
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", authority)
	keygen(t, "-q", "-t", "ed25519", "-N", "", "-f", host)
	keygen(t, "-q", "-s", authority, "-h", "-I", "board", "-n", "127.0.0.1", host+".pub")
	board := sshtest.OpenSSH(t, "HostKey "+host+"\nHostCertificate "+host+"-cert.pub")
	public, err := os.ReadFile(authority + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(t)
	p.file("config", entry("board", board))
	p.file("known_hosts", "@cert-authority [127.0.0.1]:* "+string(public))
	if _, err := p.runAt("board", "true"); err != nil {
		t.Errorf("with the authority known: %v", err)
	}
	p.file("known_hosts", "@cert-authority [127.0.0.1]:* "+string(public)+"@revoked * "+string(public))
	if _, err := p.runAt("board", "true"); !errors.Is(err, ssh.ErrHostKeyRevoked) {
		t.Errorf("with the authority revoked: %v", err)
	}
	p.file("known_hosts", "@cert-authority other "+string(public))
	if _, err := p.runAt("board", "true"); !errors.Is(err, ssh.ErrHostKeyUnknown) {
		t.Errorf("with the authority of others: %v", err)
	}
}

func TestManyLoginsAtOnceLoseNoHostKey(t *testing.T) {
	p := newPerson(t)
	p.config.AcceptNewHostKey = true
	var addresses []string
	for range 20 {
		address, _, _ := open(t)
		addresses = append(addresses, address)
	}
	var running sync.WaitGroup
	for _, address := range addresses {
		running.Go(func() {
			if err := p.dial(address); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	p.config.AcceptNewHostKey = false
	for _, address := range addresses {
		if err := p.dial(address); err != nil {
			t.Errorf("the second time: %v", err)
		}
	}
}
