package ssh

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// settings is what ~/.ssh/config says about one target.
type settings struct {
	hostName        string
	port            uint16
	user            string
	identityFiles   []string // those the configuration names, absolute
	identitiesOnly  bool
	knownHostsFiles []string // absolute; a new key goes into the first
	unknownHostKey  unknownHostKey
}

// unknownHostKey is what StrictHostKeyChecking says about a key that is not
// known. Nothing it can say covers a changed key.
type unknownHostKey int

const (
	askAboutUnknown unknownHostKey = iota
	refuseUnknown
	acceptUnknown
)

// values gives the values of one keyword of ssh_config(5), in order.
type values func(keyword string) ([]string, error)

// originalAlias is the Host entry from which the original tool takes the key
// for every device, unless it is told another one.
const originalAlias = "mbl-device"

// settingsFor finds the settings of a target.
func settingsFor(ctx context.Context, target Target, cfg Config) (*settings, error) {
	name := target.Alias
	if name == "" {
		name = target.Address()
	}
	lookup, err := configValues(ctx, cfg.sshFile("config"), name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	s, err := readSettings(lookup, cfg)
	if err == nil && target.Alias == "" && len(s.identityFiles) == 0 {
		s.identityFiles, err = originalKeys(ctx, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the entry for %s in %s: %w", ErrConfig, name, cfg.sshFile("config"), err)
	}
	return s, nil
}

func originalKeys(ctx context.Context, cfg Config) ([]string, error) {
	lookup, err := configValues(ctx, cfg.sshFile("config"), originalAlias)
	if err != nil {
		return nil, err
	}
	r := settingsReader{lookup: lookup, cfg: cfg}
	return r.identityFiles(), r.err
}

func readSettings(lookup values, cfg Config) (*settings, error) {
	r := settingsReader{lookup: lookup, cfg: cfg}
	s := &settings{
		hostName:        r.first("HostName"),
		user:            r.first("User"),
		port:            r.port(),
		identityFiles:   r.identityFiles(),
		identitiesOnly:  r.yes("IdentitiesOnly"),
		knownHostsFiles: r.knownHostsFiles(),
		unknownHostKey:  r.unknownHostKey(),
	}
	r.refuseProxies()
	return s, r.err
}

// settingsReader keeps the first error, so that each setting is one line.
type settingsReader struct {
	lookup values
	cfg    Config
	err    error
}

func (r *settingsReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *settingsReader) all(keyword string) []string {
	found, err := r.lookup(keyword)
	if err != nil {
		r.fail("%s: %w", keyword, err)
	}
	return found
}

func (r *settingsReader) first(keyword string) string {
	found := r.all(keyword)
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

func (r *settingsReader) yes(keyword string) bool { return strings.EqualFold(r.first(keyword), "yes") }

func (r *settingsReader) port() uint16 {
	text := r.first("Port")
	if text == "" {
		return 0
	}
	port, err := parsePort(text)
	if err != nil {
		r.fail("Port %s: %w", text, err)
	}
	return port
}

func (r *settingsReader) identityFiles() []string {
	var files []string
	for _, name := range r.all("IdentityFile") {
		if !strings.EqualFold(name, "none") {
			files = append(files, r.path(unquote(name)))
		}
	}
	return files
}

func (r *settingsReader) knownHostsFiles() []string {
	text := r.first("UserKnownHostsFile")
	if text == "" {
		return []string{r.cfg.sshFile("known_hosts"), r.cfg.sshFile("known_hosts2")}
	}
	var files []string
	for _, name := range splitQuoted(text) {
		if strings.EqualFold(name, "none") {
			continue
		}
		files = append(files, r.path(name))
	}
	return files
}

func (r *settingsReader) unknownHostKey() unknownHostKey {
	switch strings.ToLower(r.first("StrictHostKeyChecking")) {
	case "yes", "true":
		return refuseUnknown
	case "no", "false", "off", "accept-new":
		return acceptUnknown
	default:
		return askAboutUnknown
	}
}

// refuseProxies: a direct connection where a proxy is asked for could end at
// another machine of that name.
func (r *settingsReader) refuseProxies() {
	for _, keyword := range []string{"ProxyJump", "ProxyCommand"} {
		value := r.first(keyword)
		if value != "" && !strings.EqualFold(value, "none") {
			r.fail("%s is not supported; give an address that this computer reaches itself", keyword)
		}
	}
}

// path makes a file name of the configuration absolute. Of the tokens of
// ssh_config(5) only the home folder is known here.
func (r *settingsReader) path(name string) string {
	name = strings.ReplaceAll(name, "%d", r.cfg.Home)
	if strings.Contains(strings.ReplaceAll(name, "%%", ""), "%") {
		r.fail("the file name %s has a token that is not supported", name)
	}
	name = strings.ReplaceAll(name, "%%", "%")
	if rest, ok := strings.CutPrefix(name, "~/"); ok || !filepath.IsAbs(name) {
		return filepath.Join(r.cfg.Home, rest)
	}
	return name
}

func unquote(text string) string {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return text[1 : len(text)-1]
	}
	return text
}

// splitQuoted splits at spaces outside double quotes.
func splitQuoted(text string) []string {
	quoted := false
	fields := strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return (r == ' ' || r == '\t') && !quoted
	})
	for i, field := range fields {
		fields[i] = unquote(field)
	}
	return fields
}

// apply fills what the target leaves open: what the person typed comes first,
// then the configuration, then the defaults.
func (s *settings) apply(target Target) (Target, error) {
	if target.Host == "" || target.Alias == "" && s.hostName != "" {
		if err := s.setHost(&target); err != nil {
			return Target{}, err
		}
	}
	if target.Port == 0 {
		target.Port = s.port
	}
	if target.Port == 0 {
		target.Port = DefaultPort
	}
	if target.User == "" {
		target.User = s.user
	}
	if target.User == "" {
		target.User = DefaultUser
	}
	return target, nil
}

func (s *settings) setHost(target *Target) error {
	name := s.hostName
	if name == "" {
		name = target.Alias
	}
	name = strings.ReplaceAll(name, "%h", target.String())
	host, err := ParseTarget(name)
	if err != nil {
		return fmt.Errorf("%w: HostName: %w", ErrConfig, err)
	}
	target.Host, target.Zone = host.Host, host.Zone
	return nil
}
