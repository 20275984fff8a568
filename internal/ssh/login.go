package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"mbl/internal/secret"
)

// passwordAttempts is how often a person may mistype. A password that came
// with the target is offered once.
const passwordAttempts = 3

// login is one attempt to log in, and what it tried. The SSH library asks for
// "none" by itself first, then for these methods in their order; it calls
// nothing here before the host key was accepted.
type login struct {
	set       *settings
	target    Target
	clock     *stepClock
	questions questions
	keyFile   func(name string) string // of the default keys
	dialAgent func() (net.Conn, error) // nil: no agent
	jump      bool                     // this host stands before the device

	agent    io.Closer
	offered  []string
	tried    []string
	notes    []string
	banner   string
	password string // the one already offered, so that it is not offered again
	abort    error  // a person ended the login
}

// questions ask a person; nil where nobody can be asked.
type questions struct {
	password   func() (secret.Text, error)
	passphrase func(keyFile string) (secret.Text, error)
}

// newLogin prepares a login that ends with ctx.
func newLogin(ctx context.Context, cfg Config, set *settings, clock *stepClock) *login {
	target := set.target
	l := &login{set: set, target: target, clock: clock, keyFile: cfg.sshFile}
	if set.batch {
		cfg.AskPassword, cfg.AskPassphrase = nil, nil
	}
	if cfg.AskPassword != nil {
		l.questions.password = func() (secret.Text, error) { return cfg.AskPassword(ctx, target) }
	}
	if cfg.AskPassphrase != nil {
		l.questions.passphrase = func(file string) (secret.Text, error) { return cfg.AskPassphrase(ctx, file) }
	}
	if set.agentSocket != "" {
		dialer := net.Dialer{Timeout: set.timeout}
		l.dialAgent = func() (net.Conn, error) { return dialer.DialContext(ctx, "unix", set.agentSocket) }
	}
	return l
}

// The names of login methods (RFC 4252 and 4256).
const (
	methodKey         = "publickey"
	methodPassword    = "password"
	methodInteractive = "keyboard-interactive"
)

func (l *login) methods() []ssh.AuthMethod {
	password := ssh.PasswordCallback(l.offerPassword)
	if l.target.Password.Empty() {
		password = ssh.RetryableAuthMethod(password, passwordAttempts)
	}
	var methods []ssh.AuthMethod
	for _, method := range l.set.methods {
		switch {
		case method == methodKey:
			methods = append(methods, ssh.PublicKeysCallback(l.keys))
		case l.target.Password.Empty() && l.questions.password == nil:
		case method == methodPassword:
			methods = append(methods, password)
		default:
			methods = append(methods, ssh.KeyboardInteractive(l.answer))
		}
	}
	return methods
}

// hear keeps what the host shows before the login; it often says why nobody
// may log in.
func (l *login) hear(banner string) error {
	l.banner = strings.TrimSpace(banner)
	return nil
}

// observe is the ssh.ClientConfig.AuthCallback: the device refused a method
// and named those it takes. Choosing the next is left to the library.
func (l *login) observe(info *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if l.abort != nil {
		return nil, l.abort
	}
	l.clock.start()
	l.offered = info.AllowedMethods
	if len(l.tried) == 0 {
		l.tried = append(l.tried, "none")
	}
	return nil, nil
}

func (l *login) close() {
	if l.agent != nil {
		l.agent.Close()
	}
}

// refused is the error for a login that the host ended.
func (l *login) refused(err error) error {
	return &LoginError{
		User: l.target.User, Host: l.target.String(), Jump: l.jump,
		Offered: l.offered, Tried: l.tried, Notes: l.notes,
		Said: l.said(err), TooMany: strings.Contains(err.Error(), tooManyFailures), Err: err,
	}
}

// tooManyFailures is how OpenSSH and Dropbear word it; there is no code for it.
const tooManyFailures = "Too many auth"

// disconnected begins the SSH library's text of a disconnect message (RFC 4253,
// section 11.1), whose type it keeps to itself.
const disconnected = "ssh: disconnect, reason "

// said is the host's own explanation.
func (l *login) said(err error) string {
	_, reason, found := strings.Cut(err.Error(), disconnected)
	if _, text, ok := strings.Cut(reason, ": "); found && ok {
		if words, err := strconv.Unquote(text); err == nil {
			return strings.TrimSpace(l.banner + " " + words)
		}
	}
	if errors.Is(err, io.EOF) {
		l.notes = append(l.notes, "the rest (it closed the connection)")
	}
	return l.banner
}

func (l *login) try(what string) { l.tried = append(l.tried, what) }
func (l *login) note(what string, e error) {
	l.notes = append(l.notes, fmt.Sprintf("%s (%v)", what, e))
}

// keys lists the keys to offer: first those the configuration names, then the
// agent's, then the default files.
func (l *login) keys() ([]ssh.Signer, error) {
	fromAgent := l.agentKeys()
	var list offers
	for _, file := range l.set.identityFiles {
		l.addFile(&list, file, fromAgent, true)
	}
	if !l.set.identitiesOnly {
		for _, key := range fromAgent {
			list.add(key)
		}
	}
	if len(l.set.identityFiles) == 0 {
		for _, name := range defaultKeyFiles {
			l.addFile(&list, l.keyFile(name), fromAgent, false)
		}
	}
	if l.abort != nil {
		return nil, l.abort
	}
	return l.announced(list.keys), nil
}

// announced makes the keys say when their turn has come.
func (l *login) announced(keys []*offeredKey) []ssh.Signer {
	signers := make([]ssh.Signer, len(keys))
	for i, key := range keys {
		key.offered = func(name string) { l.try("key " + name) }
		signers[i] = key
	}
	return signers
}

// addFile adds the key of a file. If the agent holds the same key, its one is
// taken: it needs no passphrase.
func (l *login) addFile(list *offers, file string, fromAgent []*offeredKey, named bool) {
	if public := publicKeyBeside(file); public != nil {
		for _, key := range fromAgent {
			if bytes.Equal(key.public.Marshal(), public.Marshal()) {
				list.add(key)
				return
			}
		}
	}
	key, err := keyFile(file, l.passphraseFor(file))
	if err == nil {
		list.add(key)
		return
	}
	if named || !isMissing(err) {
		l.note("key "+file, err)
	}
}

func (l *login) passphraseFor(file string) func() (secret.Text, error) {
	if l.questions.passphrase == nil {
		return nil
	}
	return func() (secret.Text, error) {
		return l.ask(func() (secret.Text, error) { return l.questions.passphrase(file) })
	}
}

// errEmptyAgent: a locked agent shows no keys.
var errEmptyAgent = errors.New("it holds no key, or is locked; `ssh-add -l` and `ssh-add -X` tell")

// agentKeys lists the keys of the agent. An agent that does not answer is
// noted, and the login goes on with the files.
func (l *login) agentKeys() []*offeredKey {
	if l.dialAgent == nil {
		return nil
	}
	conn, err := l.dialAgent()
	if err != nil {
		l.note("ssh-agent", err)
		return nil
	}
	l.agent = conn
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		l.note("ssh-agent", err)
		return nil
	}
	if len(signers) == 0 {
		l.note("ssh-agent", errEmptyAgent)
	}
	var keys []*offeredKey
	for _, signer := range signers {
		key, err := openKey("in ssh-agent, "+ssh.FingerprintSHA256(signer.PublicKey()), signer)
		if err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// offerPassword gives the password of the target, else asks for one.
func (l *login) offerPassword() (string, error) {
	password, err := l.getPassword()
	if err != nil {
		return "", err
	}
	l.try("password")
	l.password = password.Reveal()
	return l.password, nil
}

func (l *login) getPassword() (secret.Text, error) {
	if !l.target.Password.Empty() {
		return l.target.Password, nil
	}
	return l.ask(l.questions.password)
}

var (
	errOtherQuestion = errors.New("the device asks for something else than a password")
	errPasswordTwice = errors.New("the password was refused already")
)

// answer gives the password to a keyboard-interactive login (RFC 4256) that
// asks for nothing else. A password the device has refused is not tried a
// second time in this guise.
func (l *login) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	if len(questions) == 0 {
		return nil, nil
	}
	if len(questions) != 1 || echos[0] {
		return nil, l.skip("keyboard-interactive", errOtherQuestion)
	}
	if l.password != "" {
		return nil, l.skip("keyboard-interactive", errPasswordTwice)
	}
	password, err := l.getPassword()
	if err != nil {
		return nil, err
	}
	l.try("keyboard-interactive")
	l.password = password.Reveal()
	return []string{l.password}, nil
}

func (l *login) skip(method string, reason error) error {
	l.note(method, reason)
	return reason
}

// ask lets a person take their time: the clock of the login step stands still.
func (l *login) ask(question func() (secret.Text, error)) (secret.Text, error) {
	l.clock.stop()
	defer l.clock.start()
	answer, err := question()
	if err != nil {
		l.abort = err
	}
	return answer, err
}
