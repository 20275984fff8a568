package ssh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mbl/internal/ssh/sshconfig"
)

// settings is what the SSH configuration says about one target.
type settings struct {
	target Target // with everything filled in

	identityFiles  []string // those the configuration names, absolute
	identitiesOnly bool
	agentSocket    string   // empty: no agent
	methods        []string // login methods that may be used; nil: all
	batch          bool     // nobody is asked

	jumps         []string // hosts to go through, first to last
	proxyCommand  string   // tokens put in; empty: none
	addressFamily string   // tcp, tcp4 or tcp6
	timeout       time.Duration

	hostKeyAlias     string
	knownHostsFiles  []string // absolute; a new key goes into the first
	systemKnownHosts []string
	hashKnownHosts   bool
	unknownHostKey   unknownHostKey
	algorithms       algorithms
}

// unknownHostKey is what StrictHostKeyChecking says about a key that is not
// known. Nothing it can say covers a changed key.
type unknownHostKey int

const (
	askAboutUnknown unknownHostKey = iota
	refuseUnknown
	acceptUnknown
)

// originalAlias is the Host entry from which the original tool takes the key
// for every device, unless it is told another one.
const originalAlias = "mbl-device"

// settingsFor finds the settings of a target. What the person typed comes
// first, then the configuration, then defaultUser and the other defaults.
func settingsFor(ctx context.Context, target Target, cfg Config, defaultUser string) (*settings, error) {
	name := target.Alias
	if name == "" {
		name = target.Address()
	}
	s, err := settingsOf(ctx, name, target, cfg, defaultUser)
	if err != nil {
		return nil, configError(ctx, err, "the SSH settings for "+name)
	}
	return s, nil
}

func configError(ctx context.Context, err error, what string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, ErrTarget) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrConfig, what, err)
}

func settingsOf(ctx context.Context, name string, target Target, cfg Config, defaultUser string) (*settings, error) {
	lines, err := configLines(ctx, queryFor(name, target.User, defaultUser, cfg), cfg)
	if err != nil {
		return nil, err
	}
	r := &settingsReader{lines: lines, cfg: cfg}
	s := r.read(name, target, defaultUser)
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}

func queryFor(name, user, defaultUser string, cfg Config) sshconfig.Query {
	return sshconfig.Query{Host: name, User: user, DefaultUser: defaultUser, LocalUser: localUser(), Home: cfg.Home}
}

// addOriginalKeys gives a device that no Host entry has a key for the one of
// the original's alias.
func (s *settings) addOriginalKeys(ctx context.Context, cfg Config) error {
	lines, err := configLines(ctx, queryFor(originalAlias, "", DefaultUser, cfg), cfg)
	if err != nil {
		return configError(ctx, err, "the SSH settings for "+originalAlias)
	}
	r := &settingsReader{lines: lines, cfg: cfg, tokens: cfg.tokensFor(originalAlias, s.target, s.hostKeyAlias)}
	s.identityFiles = r.identityFiles()
	if r.err != nil {
		return configError(ctx, r.err, "the SSH settings for "+originalAlias)
	}
	return nil
}
