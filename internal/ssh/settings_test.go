package ssh_test

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

// board is a device known to the configuration under an alias only.
type board struct {
	person *person
	port   string
	user   string // the account of the last login
}

func newBoard(t *testing.T) *board {
	t.Helper()
	b := &board{person: newPerson(t)}
	auth := takesKey(b.person.hasKey("board_key", ""))
	takes := auth.PublicKeyCallback
	auth.PublicKeyCallback = func(c xssh.ConnMetadata, key xssh.PublicKey) (*xssh.Permissions, error) {
		b.user = c.User()
		return takes(c, key)
	}
	server := &sshtest.Server{Auth: auth}
	address := server.Start(t)
	_, b.port, _ = net.SplitHostPort(address)
	b.person.knows(address, server.HostKey.PublicKey())
	return b
}

func (b *board) dialAlias(t *testing.T, alias string) error {
	t.Helper()
	client, err := ssh.Dial(t.Context(), ssh.Target{Alias: alias}, b.person.config)
	if err != nil {
		return err
	}
	return client.Close()
}

func TestAnAliasBringsItsSettings(t *testing.T) {
	entry := func(b *board, name string) string {
		return name + "\n  HostName 127.0.0.1\n  Port " + b.port + "\n  User maker\n  IdentityFile ~/.ssh/board_key\n  IdentitiesOnly yes\n"
	}
	tests := map[string]func(b *board) string{
		"Host":       func(b *board) string { return entry(b, "Host board") },
		"wildcard":   func(b *board) string { return entry(b, "Host bo*") },
		"Match host": func(b *board) string { return entry(b, "Match host board") },
		"key with spaces": func(b *board) string {
			return strings.Replace(entry(b, "Host board"), "~/.ssh/board_key", `"`+filepath.Join(b.person.config.Home, ".ssh", "board_key")+`"`, 1)
		},
		"first value wins":   func(b *board) string { return entry(b, "Host board") + "Host *\n  Port 1\n  User other\n" },
		"Match originalhost": func(b *board) string { return entryForSSH(entry(b, "Match originalhost board"), b) },
		"Match exec elsewhere": func(b *board) string {
			return "Match host other exec \"true\"\n  Port 1\n" + entryForSSH(entry(b, "Host board"), b)
		},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			b.person.file("config", config(b))
			if err := b.dialAlias(t, "board"); err != nil {
				t.Fatal(err)
			}
			if b.user != "maker" {
				t.Errorf("logged in as %q", b.user)
			}
		})
	}
}

// entryForSSH: ssh takes ~ from the passwd file, not from the test's home.
func entryForSSH(entry string, b *board) string {
	return strings.ReplaceAll(entry, "~", b.person.config.Home) + "  UserKnownHostsFile " + filepath.Join(b.person.config.Home, ".ssh", "known_hosts") + "\n"
}

func TestAFileOnlySSHCanReadStillLeavesTheDefaults(t *testing.T) {
	b := newBoard(t)
	home := b.person.config.Home
	b.person.file("config", "Match originalhost board\n  HostName 127.0.0.1\n  Port "+b.port+"\n  IdentityFile "+home+"/.ssh/board_key\n  UserKnownHostsFile "+home+"/.ssh/known_hosts\n")
	if err := b.dialAlias(t, "board"); err != nil {
		t.Fatal(err)
	}
	if b.user != "root" {
		t.Errorf("logged in as %q, want root", b.user)
	}
}

// The original tool has its users name their key there.
func TestTheKeyOfTheOriginalsAliasIsTaken(t *testing.T) {
	b := newBoard(t)
	b.person.file("config", "Host mbl-device\n  HostName 192.0.2.1\n  User other\n  IdentityFile ~/.ssh/board_key\n")
	if err := b.person.dial("127.0.0.1:" + b.port); err != nil || b.user != "root" {
		t.Errorf("logged in as %q, %v", b.user, err)
	}
}

func TestTheAddressGivenWinsOverTheAlias(t *testing.T) {
	b := newBoard(t)
	b.person.file("config", "Host board\n  HostName 192.0.2.1\n  Port 1\n  User maker\n  IdentityFile ~/.ssh/board_key\n")
	err := b.person.dial("127.0.0.1:"+b.port, func(t *ssh.Target) { t.Alias = "board" })
	if err != nil || b.user != "maker" {
		t.Errorf("logged in as %q, %v", b.user, err)
	}
}

func TestWhatTheConfigurationAsksForIsNeverPassedOver(t *testing.T) {
	tests := map[string]string{
		"a jump host of no name":  "Host board\n  HostName 127.0.0.1\n  ProxyJump a/b\n",
		"an unknown setting":      "Host board\n  HostNam 127.0.0.1\n",
		"a command for host keys": "Host board\n  KnownHostsCommand /bin/true\n",
		"a revocation list":       "Host board\n  RevokedHostKeys /nowhere\n",
		"an address to call from": "Host board\n  BindAddress 127.0.0.1\n",
		"a wrong word":            "Host board\n  StrictHostKeyChecking maybe\n",
		"jump hosts in a circle":  "Host board gate\n  HostName 127.0.0.1\n  ProxyJump gate\n",
		"a port that is none":     "Host board\n  Port ssh\n",
		"a name that is none":     "Host board\n  HostName a/b\n",
		"a file ssh refuses":      "Host board\n  Nonsense yes\nMatch nonsense\n",
		"a token not known":       "Host board\n  IdentityFile ~/.ssh/%C\n",
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			b.person.file("config", config)
			if err := b.dialAlias(t, "board"); !errors.Is(err, ssh.ErrConfig) {
				t.Errorf("err = %v, want ErrConfig", err)
			}
		})
	}
}

func TestAMissingIdentityFileIsSaid(t *testing.T) {
	b := newBoard(t)
	b.person.file("config", "Host board\n  HostName 127.0.0.1\n  Port "+b.port+"\n  IdentityFile ~/.ssh/gone\n")
	err := b.dialAlias(t, "board")
	if !errors.Is(err, ssh.ErrLoginRefused) || !strings.Contains(err.Error(), "gone") {
		t.Errorf("err = %v", err)
	}
}

func TestStrictHostKeyChecking(t *testing.T) {
	tests := []struct {
		value string
		want  error
	}{{"yes", ssh.ErrHostKeyUnknown}, {"ask", ssh.ErrHostKeyUnknown}, {"accept-new", nil}, {"no", nil}}
	for _, test := range tests {
		p := newPerson(t)
		p.file("config", "Host *\n  StrictHostKeyChecking "+test.value+"\n  UserKnownHostsFile ~/.ssh/boards\n")
		server := &sshtest.Server{Auth: xssh.ServerConfig{NoClientAuth: true}}
		if err := p.dial(server.Start(t)); !errors.Is(err, test.want) {
			t.Errorf("StrictHostKeyChecking %s: err = %v, want %v", test.value, err, test.want)
		}
		if test.want == nil {
			assertMode(t, filepath.Join(p.config.Home, ".ssh", "boards"), 0o600)
		}
	}
}
