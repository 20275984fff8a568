package ssh

import (
	"fmt"
	"strings"
	"time"

	"mbl/internal/ssh/sshconfig"
)

// settingsReader keeps the first error, so that each setting is one line.
type settingsReader struct {
	lines  []sshconfig.Setting
	cfg    Config
	tokens tokens
	err    error
}

func (r *settingsReader) read(name string, target Target, defaultUser string) *settings {
	s := &settings{target: r.fill(name, target, defaultUser), hostKeyAlias: r.first("hostkeyalias")}
	r.tokens = r.cfg.tokensFor(name, s.target, s.hostKeyAlias)
	s.identityFiles = r.identityFiles()
	s.identitiesOnly = r.yes("identitiesonly")
	s.agentSocket = r.agentSocket()
	s.methods = r.methods()
	s.batch = r.yes("batchmode")
	s.jumps, s.proxyCommand = r.proxy()
	s.addressFamily = r.addressFamily()
	s.timeout = r.timeout()
	s.knownHostsFiles = r.files("userknownhostsfile", "~/.ssh/known_hosts", "~/.ssh/known_hosts2")
	s.systemKnownHosts = r.files("globalknownhostsfile", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
	s.hashKnownHosts = r.yes("hashknownhosts")
	s.unknownHostKey = r.unknownHostKey()
	s.algorithms = r.algorithms()
	return s
}

func (r *settingsReader) fail(line sshconfig.Setting, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %s: %w", line.Place(), line.Keyword, err)
	}
}

// line is the first with one of the keywords.
func (r *settingsReader) line(keywords ...string) (sshconfig.Setting, bool) {
	for _, line := range r.lines {
		for _, keyword := range keywords {
			if line.Keyword == keyword {
				return line, true
			}
		}
	}
	return sshconfig.Setting{}, false
}

func (r *settingsReader) first(keyword string) string {
	line, found := r.line(keyword)
	if !found {
		return ""
	}
	return line.Args[0]
}

// choice reads a keyword that takes one of a few words; def is its default.
func (r *settingsReader) choice(keyword, def string, words ...string) string {
	line, found := r.line(keyword)
	if !found {
		return def
	}
	for _, word := range words {
		if strings.EqualFold(line.Args[0], word) {
			return word
		}
	}
	r.fail(line, fmt.Errorf("%q is none of %s", line.Args[0], strings.Join(words, ", ")))
	return def
}

func (r *settingsReader) yes(keyword string) bool { return r.allowed(keyword, "no") }

func (r *settingsReader) allowed(keyword, def string) bool {
	word := r.choice(keyword, def, "yes", "no", "true", "false")
	return word == "yes" || word == "true"
}

// fill puts the configuration and the defaults where the person typed nothing.
func (r *settingsReader) fill(name string, target Target, defaultUser string) Target {
	if target.Host == "" || target.Alias == "" {
		r.setHost(&target, name)
	}
	if target.Port == 0 {
		target.Port = r.port()
	}
	if target.User == "" {
		target.User = r.first("user")
	}
	if target.User == "" {
		target.User = defaultUser
	}
	return target
}

func (r *settingsReader) setHost(target *Target, name string) {
	line, found := r.line("hostname")
	if !found {
		line = sshconfig.Setting{Keyword: "hostname", Args: []string{name}}
	} else if text, err := (tokens{'%': "%", 'h': name, 'n': name}).expand(line.Args[0], "hn"); err != nil {
		r.fail(line, err)
	} else {
		line.Args = []string{text}
	}
	if err := target.setHost(line.Args[0]); err != nil {
		r.fail(line, fmt.Errorf("%q: %w", line.Args[0], err))
	}
}

func (r *settingsReader) port() uint16 {
	line, found := r.line("port")
	if !found {
		return DefaultPort
	}
	port, err := parsePort(line.Args[0])
	if err != nil {
		r.fail(line, err)
	}
	return port
}

func (r *settingsReader) identityFiles() []string {
	var files []string
	for _, line := range r.lines {
		if line.Keyword != "identityfile" {
			continue
		}
		if len(line.Args) > 1 {
			r.fail(line, fmt.Errorf("one file a line; a name with blanks needs quotation marks"))
		}
		if file := r.path(line, line.Args[0]); file != "" {
			files = append(files, file)
		}
	}
	return files
}

// fileTokens are those that ssh_config(5) allows in file names, without %C and
// %j: hashes of nothing that a person would name a key after.
const fileTokens = "dhikLlnpru"

// path makes a file name of the configuration absolute; none is empty.
func (r *settingsReader) path(line sshconfig.Setting, name string) string {
	if strings.EqualFold(name, "none") {
		return ""
	}
	name, err := r.tokens.expand(name, fileTokens)
	if err == nil {
		name, err = r.cfg.expandEnvironment(name)
	}
	if err == nil {
		name, err = r.cfg.homePath(name)
	}
	if err != nil {
		r.fail(line, err)
	}
	return name
}

func (r *settingsReader) files(keyword string, defaults ...string) []string {
	line, found := r.line(keyword)
	if !found {
		line = sshconfig.Setting{Keyword: keyword, Args: defaults}
	}
	var files []string
	for _, name := range line.Args {
		if file := r.path(line, name); file != "" {
			files = append(files, file)
		}
	}
	return files
}

// agentSocket follows IdentityAgent, which beats SSH_AUTH_SOCK.
func (r *settingsReader) agentSocket() string {
	line, found := r.line("identityagent")
	if !found || line.Args[0] == "SSH_AUTH_SOCK" {
		return r.cfg.AgentSocket
	}
	if name, ok := strings.CutPrefix(line.Args[0], "$"); ok && !strings.HasPrefix(name, "{") {
		return r.cfg.environment(name)
	}
	return r.path(line, line.Args[0])
}

func (r *settingsReader) unknownHostKey() unknownHostKey {
	switch r.choice("stricthostkeychecking", "ask", "yes", "true", "no", "false", "off", "accept-new", "ask") {
	case "yes", "true":
		return refuseUnknown
	case "ask":
		return askAboutUnknown
	default:
		return acceptUnknown
	}
}

func (r *settingsReader) addressFamily() string {
	return map[string]string{"any": "tcp", "inet": "tcp4", "inet6": "tcp6"}[r.choice("addressfamily", "any", "any", "inet", "inet6")]
}

// timeout is ConnectTimeout, else the one of Config.
func (r *settingsReader) timeout() time.Duration {
	line, found := r.line("connecttimeout")
	if !found || strings.EqualFold(line.Args[0], "none") {
		return r.cfg.Timeout
	}
	timeout, err := parseTime(line.Args[0])
	if err != nil {
		r.fail(line, err)
	}
	if timeout == 0 {
		return r.cfg.Timeout
	}
	return timeout
}

// methods are the login methods that the configuration leaves.
func (r *settingsReader) methods() []string {
	var left []string
	for _, method := range []struct {
		name string
		on   bool
	}{
		{methodKey, r.allowed("pubkeyauthentication", "yes")},
		{methodPassword, r.allowed("passwordauthentication", "yes")},
		{methodInteractive, r.allowed("kbdinteractiveauthentication", "yes") && r.allowed("challengeresponseauthentication", "yes")},
	} {
		if method.on && r.preferred(method.name) {
			left = append(left, method.name)
		}
	}
	return left
}

func (r *settingsReader) preferred(method string) bool {
	line, found := r.line("preferredauthentications")
	return !found || sshconfig.MatchList(strings.Split(line.Args[0], ","), method)
}

// proxy follows ProxyJump or ProxyCommand, whichever stands first.
func (r *settingsReader) proxy() (jumps []string, command string) {
	line, found := r.line("proxyjump", "proxycommand")
	if !found || strings.EqualFold(line.Args[0], "none") {
		return nil, ""
	}
	if line.Keyword == "proxyjump" {
		return strings.Split(line.Args[0], ","), ""
	}
	command, err := r.tokens.expand(line.Args[0], "hnpr")
	if err != nil {
		r.fail(line, err)
	}
	return nil, command
}
