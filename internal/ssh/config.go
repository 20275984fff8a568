package ssh

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"mbl/internal/secret"
)

// Config is how to log in: where the person's SSH files are, what may be
// asked, how long to wait.
type Config struct {
	Home        string // the person's home folder, which holds .ssh
	AgentSocket string // SSH_AUTH_SOCK; empty: no agent

	// SystemConfig is the computer's own ssh_config, which counts after the
	// person's. Empty: none.
	SystemConfig string

	// Getenv reads the environment, for the settings that name variables of it;
	// nil: it is empty.
	Getenv func(name string) string

	// AcceptNewHostKey is the person's consent, given beforehand, to a host
	// key that is not known yet, that of a jump host too. It never covers a
	// changed key.
	AcceptNewHostKey bool

	// The callbacks ask a person and are nil where nobody can be asked. Their
	// errors end the login and are returned as they are.
	AskHostKey    func(ctx context.Context, key HostKey) (bool, error)
	AskPassword   func(ctx context.Context, target Target) (secret.Text, error)
	AskPassphrase func(ctx context.Context, keyFile string) (secret.Text, error)

	// Timeout bounds each step of connecting: reaching the device, its host
	// key, each login method. Time that a person takes to answer is not
	// counted. 0 means DefaultTimeout.
	Timeout time.Duration

	// KeepAlive is how often a silent device is asked for a sign of life; it
	// has the same time to answer. 0 means DefaultKeepAlive.
	KeepAlive time.Duration

	// Warn tells a person of something odd that does not end the login, in one
	// line. nil: nobody is told.
	Warn func(text string)

	// Stderr is where a ProxyCommand writes its messages. nil: nowhere.
	Stderr io.Writer

	Log *slog.Logger // nil: no log
}

// Used where Config says 0.
const (
	DefaultTimeout   = 15 * time.Second
	DefaultKeepAlive = 15 * time.Second
)

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = DefaultKeepAlive
	}
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// sshFile is a file of the person's .ssh folder.
func (c Config) sshFile(name string) string { return filepath.Join(c.Home, ".ssh", name) }
