package ssh_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"mbl/internal/program/programtest"
	"mbl/internal/secret"
	"mbl/internal/ssh"
	"mbl/internal/ssh/sshtest"
)

var errRefused = errors.New("refused")

// person is a home folder and what its owner would answer.
type person struct {
	t      *testing.T
	config ssh.Config
}

func newPerson(t *testing.T) *person {
	return &person{t: t, config: ssh.Config{Home: t.TempDir(), Timeout: 20 * time.Second}}
}

func (p *person) file(name, content string) string {
	p.t.Helper()
	file := filepath.Join(p.config.Home, ".ssh", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return file
}

// knows puts a host key into known_hosts.
func (p *person) knows(address string, key xssh.PublicKey) {
	host, port, _ := net.SplitHostPort(address)
	p.file("known_hosts", fmt.Sprintf("[%s]:%s %s", host, port, xssh.MarshalAuthorizedKey(key)))
}

// hasKey makes a private key, encrypted if there is a passphrase.
func (p *person) hasKey(name, passphrase string) xssh.PublicKey {
	p.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	block, err := xssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = xssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.file(name, string(pem.EncodeToMemory(block)))
	key, err := xssh.NewPublicKey(public)
	if err != nil {
		p.t.Fatal(err)
	}
	return key
}

// hasAgent runs an agent that holds a key.
func (p *person) hasAgent() xssh.PublicKey {
	p.t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		p.t.Fatal(err)
	}
	socket := filepath.Join(p.config.Home, "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); _ = agent.ServeAgent(keyring, conn) }()
		}
	}()
	p.config.AgentSocket = socket
	keys, err := keyring.Signers()
	if err != nil {
		p.t.Fatal(err)
	}
	return keys[0].PublicKey()
}

func (p *person) dial(address string, change ...func(*ssh.Target)) error {
	p.t.Helper()
	target, err := ssh.ParseTarget(address)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range change {
		c(&target)
	}
	client, err := ssh.Dial(p.t.Context(), target, p.config)
	if err != nil {
		return err
	}
	return client.Close()
}

func withPassword(text string) func(*ssh.Target) {
	return func(t *ssh.Target) { t.Password = secret.New(text) }
}

func takesKey(key xssh.PublicKey) xssh.ServerConfig {
	return xssh.ServerConfig{PublicKeyCallback: func(_ xssh.ConnMetadata, offered xssh.PublicKey) (*xssh.Permissions, error) {
		if string(offered.Marshal()) != string(key.Marshal()) {
			return nil, errRefused
		}
		return nil, nil
	}}
}

func takesPassword(want string, asked *int) xssh.ServerConfig {
	return xssh.ServerConfig{PasswordCallback: func(_ xssh.ConnMetadata, got []byte) (*xssh.Permissions, error) {
		*asked++
		if string(got) != want {
			return nil, errRefused
		}
		return nil, nil
	}}
}

func start(t *testing.T, p *person, auth xssh.ServerConfig) string {
	t.Helper()
	server := &sshtest.Server{Auth: auth}
	address := server.Start(t)
	p.knows(address, server.HostKey.PublicKey())
	return address
}

func TestLoginWithoutAnything(t *testing.T) {
	p := newPerson(t)
	if err := p.dial(start(t, p, xssh.ServerConfig{NoClientAuth: true})); err != nil {
		t.Fatal(err)
	}
}

func TestTheAccountIsRootUnlessSomethingElseIsSaid(t *testing.T) {
	p := newPerson(t)
	var user string
	auth := xssh.ServerConfig{NoClientAuth: true, NoClientAuthCallback: func(c xssh.ConnMetadata) (*xssh.Permissions, error) {
		user = c.User()
		return nil, nil
	}}
	address := start(t, p, auth)
	if err := p.dial(address); err != nil || user != "root" {
		t.Errorf("logged in as %q, %v; want root", user, err)
	}
	if err := p.dial("dev@" + address); err != nil || user != "dev" {
		t.Errorf("logged in as %q, %v; want dev", user, err)
	}
}

func TestLoginWithAKeyFile(t *testing.T) {
	p := newPerson(t)
	key := p.hasKey("id_ed25519", "")
	if err := p.dial(start(t, p, takesKey(key))); err != nil {
		t.Fatal(err)
	}
}

func TestLoginWithTheAgent(t *testing.T) {
	p := newPerson(t)
	key := p.hasAgent()
	if err := p.dial(start(t, p, takesKey(key))); err != nil {
		t.Fatal(err)
	}
}

func TestADeadAgentIsSaidAndTheKeyFilesAreTried(t *testing.T) {
	p := newPerson(t)
	p.config.AgentSocket = filepath.Join(p.config.Home, "nobody")
	key := p.hasKey("id_ed25519", "")
	if err := p.dial(start(t, p, takesKey(key))); err != nil {
		t.Fatal(err)
	}
	err := p.dial(start(t, p, takesKey(sshtest.NewKey(t).PublicKey())))
	var login *ssh.LoginError
	if !errors.As(err, &login) || len(login.Notes) != 1 || !strings.Contains(login.Notes[0], "ssh-agent") {
		t.Errorf("the refusal is %+v, want a note about ssh-agent", err)
	}
}

func TestLoginWithAnEncryptedKey(t *testing.T) {
	p := newPerson(t)
	key := p.hasKey("id_ed25519", "open sesame")
	answers := []string{"wrong", "open sesame"}
	asked := ""
	p.config.AskPassphrase = func(_ context.Context, file string) (secret.Text, error) {
		asked = file
		answer := answers[0]
		answers = answers[1:]
		return secret.New(answer), nil
	}
	if err := p.dial(start(t, p, takesKey(key))); err != nil {
		t.Fatal(err)
	}
	if filepath.Base(asked) != "id_ed25519" || len(answers) != 0 {
		t.Errorf("asked for the passphrase of %q, %d answers left", asked, len(answers))
	}
}

func TestNoPassphraseIsAskedForAKeyTheDeviceDoesNotTake(t *testing.T) {
	p := newPerson(t)
	p.hasKey("id_ed25519", "open sesame")
	p.config.AskPassphrase = func(context.Context, string) (secret.Text, error) {
		t.Error("asked for a passphrase")
		return secret.Text{}, errRefused
	}
	if err := p.dial(start(t, p, takesKey(sshtest.NewKey(t).PublicKey()))); !errors.Is(err, ssh.ErrLoginRefused) {
		t.Errorf("err = %v, want a refused login", err)
	}
}

func TestAnEncryptedKeyIsNamedWhereNobodyCanBeAsked(t *testing.T) {
	p := newPerson(t)
	key := p.hasKey("id_ed25519", "open sesame")
	err := p.dial(start(t, p, takesKey(key)))
	var login *ssh.LoginError
	if !errors.As(err, &login) || len(login.Notes) != 1 || !strings.Contains(login.Notes[0], "passphrase") {
		t.Errorf("the refusal is %+v, want a note about the passphrase", err)
	}
}

func TestLoginWithThePasswordOfTheTarget(t *testing.T) {
	p := newPerson(t)
	asked := 0
	if err := p.dial(start(t, p, takesPassword("secret", &asked)), withPassword("secret")); err != nil || asked != 1 {
		t.Fatalf("err = %v, password offered %d times", err, asked)
	}
}

// The original logs in again and again in silence, and then goes on without
// being logged in.
func TestAWrongPasswordIsOfferedOnceAndRefusedAtOnce(t *testing.T) {
	p := newPerson(t)
	asked := 0
	auth := takesPassword("secret", &asked)
	auth.KeyboardInteractiveCallback = func(_ xssh.ConnMetadata, ask xssh.KeyboardInteractiveChallenge) (*xssh.Permissions, error) {
		if answers, err := ask("", "", []string{"Password: "}, []bool{false}); err == nil {
			t.Errorf("answered %q to keyboard-interactive", answers)
		}
		return nil, errRefused
	}
	err := p.dial(start(t, p, auth), withPassword("wrong"))
	var login *ssh.LoginError
	if !errors.As(err, &login) {
		t.Fatalf("err = %v, want a refused login", err)
	}
	if asked != 1 {
		t.Errorf("the password was offered %d times, want once", asked)
	}
	if got := strings.Join(login.Tried, ","); got != "none,password" {
		t.Errorf("tried %q", got)
	}
	if strings.Contains(err.Error(), "wrong") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestAPersonMayMistypeThePassword(t *testing.T) {
	p := newPerson(t)
	asked, typed := 0, 0
	p.config.AskPassword = func(context.Context, ssh.Target) (secret.Text, error) {
		typed++
		if typed < 3 {
			return secret.New("typo"), nil
		}
		return secret.New("secret"), nil
	}
	if err := p.dial(start(t, p, takesPassword("secret", &asked))); err != nil || asked != 3 {
		t.Fatalf("err = %v after %d passwords", err, asked)
	}
}

func TestAPersonWhoEndsTheQuestionEndsTheLogin(t *testing.T) {
	p := newPerson(t)
	asked := 0
	ended := errors.New("ended by the person")
	p.config.AskPassword = func(context.Context, ssh.Target) (secret.Text, error) { return secret.Text{}, ended }
	if err := p.dial(start(t, p, takesPassword("secret", &asked))); !errors.Is(err, ended) || asked != 0 {
		t.Fatalf("err = %v, %d passwords offered", err, asked)
	}
}

func TestLoginByKeyboardInteractive(t *testing.T) {
	p := newPerson(t)
	auth := xssh.ServerConfig{KeyboardInteractiveCallback: func(_ xssh.ConnMetadata, ask xssh.KeyboardInteractiveChallenge) (*xssh.Permissions, error) {
		answers, err := ask("", "", []string{"Password: "}, []bool{false})
		if err != nil || len(answers) != 1 || answers[0] != "secret" {
			return nil, errRefused
		}
		return nil, nil
	}}
	if err := p.dial(start(t, p, auth), withPassword("secret")); err != nil {
		t.Fatal(err)
	}
}

func TestThePasswordAnswersNoOtherQuestion(t *testing.T) {
	p := newPerson(t)
	auth := xssh.ServerConfig{KeyboardInteractiveCallback: func(_ xssh.ConnMetadata, ask xssh.KeyboardInteractiveChallenge) (*xssh.Permissions, error) {
		if answers, err := ask("", "", []string{"What is your name? "}, []bool{true}); err == nil {
			t.Errorf("answered %q", answers)
		}
		return nil, errRefused
	}}
	err := p.dial(start(t, p, auth), withPassword("secret"))
	if !errors.Is(err, ssh.ErrLoginRefused) || !strings.Contains(err.Error(), "something else than a password") {
		t.Errorf("err = %v", err)
	}
}

func TestNothingIsOfferedToAnUnknownHost(t *testing.T) {
	p := newPerson(t)
	p.hasKey("id_ed25519", "")
	p.hasAgent()
	offered := 0
	auth := takesPassword("secret", &offered)
	auth.PublicKeyCallback = func(xssh.ConnMetadata, xssh.PublicKey) (*xssh.Permissions, error) { offered++; return nil, errRefused }
	server := &sshtest.Server{Auth: auth}
	address := server.Start(t)
	err := p.dial(address, withPassword("secret"))
	var refusal *ssh.HostKeyError
	if !errors.Is(err, ssh.ErrHostKeyUnknown) || !errors.As(err, &refusal) {
		t.Fatalf("err = %v, want an unknown host key", err)
	}
	if refusal.Fingerprint != xssh.FingerprintSHA256(server.HostKey.PublicKey()) {
		t.Errorf("the refusal shows %s", refusal.Fingerprint)
	}
	if offered != 0 {
		t.Errorf("%d secrets were offered", offered)
	}
	if _, err := os.Stat(filepath.Join(p.config.Home, ".ssh", "known_hosts")); !os.IsNotExist(err) {
		t.Errorf("known_hosts was written: %v", err)
	}
}

func TestAHostKeyIsRememberedWithConsent(t *testing.T) {
	shown := ssh.HostKey{}
	consents := map[string]func(*ssh.Config){
		"beforehand": func(c *ssh.Config) { c.AcceptNewHostKey = true },
		"asked": func(c *ssh.Config) {
			c.AskHostKey = func(_ context.Context, key ssh.HostKey) (bool, error) { shown = key; return true, nil }
		},
	}
	for name, consent := range consents {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t)
			server := &sshtest.Server{Auth: xssh.ServerConfig{NoClientAuth: true}}
			address := server.Start(t)
			before := p.config
			consent(&p.config)
			if err := p.dial(address); err != nil {
				t.Fatal(err)
			}
			p.config = before
			if err := p.dial(address); err != nil {
				t.Errorf("the second time: %v", err)
			}
			assertMode(t, filepath.Join(p.config.Home, ".ssh"), 0o700)
			assertMode(t, filepath.Join(p.config.Home, ".ssh", "known_hosts"), 0o600)
			if name == "asked" && shown.Fingerprint != xssh.FingerprintSHA256(server.HostKey.PublicKey()) {
				t.Errorf("asked about %+v", shown)
			}
		})
	}
}

func TestConsentHoldsWhereTheKeyCannotBeKept(t *testing.T) {
	p := newPerson(t)
	server := &sshtest.Server{Auth: xssh.ServerConfig{NoClientAuth: true}}
	address := server.Start(t)
	if err := os.Symlink("nowhere", filepath.Join(p.config.Home, ".ssh")); err != nil {
		t.Fatal(err) // no folder can be made there, whoever runs this
	}
	p.config.AcceptNewHostKey = true
	var warnings []string
	p.config.Warn = func(text string) { warnings = append(warnings, text) }
	if err := p.dial(address); err != nil {
		t.Error(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "not kept") {
		t.Errorf("warnings: %q", warnings)
	}
}

func assertMode(t *testing.T, file string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %o, want %o", file, info.Mode().Perm(), want)
	}
}

func TestAPersonMayRefuseAHostKey(t *testing.T) {
	p := newPerson(t)
	p.config.AskHostKey = func(context.Context, ssh.HostKey) (bool, error) { return false, nil }
	server := &sshtest.Server{Auth: xssh.ServerConfig{NoClientAuth: true}}
	if err := p.dial(server.Start(t)); !errors.Is(err, ssh.ErrHostKeyUnknown) {
		t.Errorf("err = %v", err)
	}
}

func TestAChangedHostKeyIsRefusedWhateverWasAllowed(t *testing.T) {
	p := newPerson(t)
	p.config.AcceptNewHostKey = true
	p.config.AskHostKey = func(context.Context, ssh.HostKey) (bool, error) {
		t.Error("asked about a changed key")
		return true, nil
	}
	p.file("config", "Host *\n  StrictHostKeyChecking no\n")
	server := &sshtest.Server{Auth: xssh.ServerConfig{NoClientAuth: true}}
	address := server.Start(t)
	old := sshtest.NewKey(t).PublicKey()
	p.knows(address, old)
	err := p.dial(address)
	var refusal *ssh.HostKeyError
	if !errors.Is(err, ssh.ErrHostKeyChanged) || !errors.As(err, &refusal) {
		t.Fatalf("err = %v, want a changed host key", err)
	}
	if len(refusal.Known) != 1 || refusal.Known[0].Fingerprint != xssh.FingerprintSHA256(old) || refusal.Known[0].Line != 1 {
		t.Errorf("known keys: %+v", refusal.Known)
	}
	if refusal.Fingerprint != xssh.FingerprintSHA256(server.HostKey.PublicKey()) {
		t.Errorf("shown key: %s", refusal.Fingerprint)
	}
	if want := "ssh-keygen -f"; !strings.HasPrefix(refusal.Remedy(), want) || !strings.Contains(refusal.Remedy(), "-R") {
		t.Errorf("remedy: %s", refusal.Remedy())
	}
}

func TestANewLineIsNotGluedToAnOpenOne(t *testing.T) {
	p := newPerson(t)
	p.config.AcceptNewHostKey = true
	file := p.file("known_hosts", "# no newline at the end")
	server := &sshtest.Server{Auth: xssh.ServerConfig{NoClientAuth: true}}
	if err := p.dial(server.Start(t)); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil || strings.Count(string(content), "\n") != 2 {
		t.Errorf("known_hosts is %q, %v", content, err)
	}
}

func TestAHostKeyIsShownWithoutALogin(t *testing.T) {
	server := &sshtest.Server{Auth: takesKey(nil)}
	address := server.Start(t)
	shown, err := ssh.ShowHostKey(t.Context(), address)
	if want := xssh.FingerprintSHA256(server.HostKey.PublicKey()); err != nil || shown != want {
		t.Errorf("shown %q, %v; want %s", shown, err, want)
	}
	if shown, err := ssh.ShowHostKey(t.Context(), sshtest.Dropbear(t).Addr); err != nil || shown == "" {
		t.Errorf("Dropbear has shown %q, %v", shown, err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if shown, err := ssh.ShowHostKey(ctx, silent.Addr().String()); err == nil {
		t.Errorf("who says nothing has shown %q", shown)
	}
}

func TestAPortNobodyListensOn(t *testing.T) {
	p := newPerson(t)
	if err := p.dial(programtest.KeptAddress(t)); !errors.Is(err, ssh.ErrUnreachable) {
		t.Errorf("err = %v", err)
	}
}

func TestAServerThatSaysNothing(t *testing.T) {
	p := newPerson(t)
	p.config.Timeout = 200 * time.Millisecond
	address := sshtest.Listen(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1<<10)); _, _ = conn.Read(make([]byte, 1)) })
	if err := p.dial(address); !errors.Is(err, ssh.ErrTimeout) {
		t.Errorf("err = %v", err)
	}
}

func TestAServerThatStopsAtTheLogin(t *testing.T) {
	p := newPerson(t)
	p.config.Timeout = 500 * time.Millisecond
	hang := make(chan struct{})
	auth := xssh.ServerConfig{PasswordCallback: func(xssh.ConnMetadata, []byte) (*xssh.Permissions, error) { <-hang; return nil, errRefused }}
	server := &sshtest.Server{Auth: auth}
	address := server.Start(t)
	t.Cleanup(func() { close(hang) })
	p.knows(address, server.HostKey.PublicKey())
	if err := p.dial(address, withPassword("secret")); !errors.Is(err, ssh.ErrTimeout) {
		t.Errorf("err = %v", err)
	}
}

func TestAServerThatIsNoSSHServer(t *testing.T) {
	p := newPerson(t)
	address := sshtest.Listen(t, func(conn net.Conn) {
		fmt.Fprint(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		conn.Close()
	})
	if err := p.dial(address); !errors.Is(err, ssh.ErrProtocol) {
		t.Errorf("err = %v", err)
	}
}

func TestCtrlCEndsALogin(t *testing.T) {
	p := newPerson(t)
	ctx, cancel := context.WithCancel(t.Context())
	address := sshtest.Listen(t, func(conn net.Conn) {
		cancel()
		_, _ = conn.Read(make([]byte, 1<<10))
		_, _ = conn.Read(make([]byte, 1))
	})
	target, _ := ssh.ParseTarget(address)
	if _, err := ssh.Dial(ctx, target, p.config); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}
