package ssh

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mbl/internal/ssh/sshconfig"
)

// TestSettingsAreThoseOfSSH reads each configuration twice, by itself and with
// the real `ssh -G`, and wants the same of both.
func TestSettingsAreThoseOfSSH(t *testing.T) {
	configs := map[string]string{
		"nothing":          "",
		"names":            "Host board\n HostName %h.example\n Port 2222\n User maker\n",
		"percent":          "Host board\n IdentityFile /a%%b\n",
		"first wins":       "Host bo*\n Port 1\n User a\nHost *\n Port 2\n User b\n HostName c\n",
		"keys":             "Host board\n IdentityFile ~/.ssh/%r_%h\n IdentityFile \"/a b/c\"\n IdentitiesOnly yes\nHost *\n IdentityFile %d/last\n",
		"no keys":          "IdentityFile none\nPubkeyAuthentication no\n",
		"agent variable":   "IdentityAgent $FOO\n",
		"agent path":       "IdentityAgent /run/agent.%r\n",
		"agent none":       "IdentityAgent none\n",
		"agent default":    "IdentityAgent SSH_AUTH_SOCK\n",
		"jumps":            "Host board\n ProxyJump a,b@c:33\n ProxyCommand nc x\n",
		"jump none":        "Host board\n ProxyJump none\nHost *\n ProxyJump gate\n",
		"command":          "Host board\n ProxyCommand nc -X 5 \"%h\" %p # %r\n ProxyJump gate\n",
		"command none":     "ProxyCommand none\n",
		"known hosts":      "UserKnownHostsFile /x /y\nGlobalKnownHostsFile /z\nHashKnownHosts yes\nHostKeyAlias q\n",
		"strict":           "StrictHostKeyChecking yes\nBatchMode yes\n",
		"strict off":       "StrictHostKeyChecking off\n",
		"strict new":       "StrictHostKeyChecking accept-new\n",
		"time":             "ConnectTimeout 1m30s\nAddressFamily inet6\n",
		"methods":          "PreferredAuthentications publickey,keyboard-interactive\nPasswordAuthentication no\n",
		"Match host":       "Match host board,other\n Port 5\nMatch host nothing user x\n User y\n",
		"Match renamed":    "HostName new\nMatch host board\n Port 5\nMatch originalhost board\n User z\n",
		"Match not":        "Match !host x user=root\n Port 6\n",
		"Include in Host":  "Host x\n Include FOLDER/part\nHost board\n Include FOLDER/part\n",
		"equals and quote": "Host=board\n Port = \"2222\"\n\tUser\tbob\n",
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			cfg := oracleConfig(t, config)
			query := queryFor("board", "", DefaultUser, cfg)
			own, err := sshconfig.Read(query, cfg.sources()...)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := linesOfSSH(t.Context(), query, cfg, errors.New("a test"))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := resolved(t, cfg, own), resolved(t, cfg, theirs); !reflect.DeepEqual(got, want) {
				t.Errorf("read here: %+v\nread by ssh: %+v", got, want)
			}
		})
	}
}

func oracleConfig(t *testing.T, text string) Config {
	t.Helper()
	home := t.TempDir()
	folder := filepath.Join(home, ".ssh")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	// ssh takes the home folder from the passwd file, whose owner is not asked.
	text = strings.ReplaceAll(text, "FOLDER", folder) + "\nHost *\n UserKnownHostsFile /known\n"
	for name, content := range map[string]string{"config": text, "part": "Port 9\nHost other\n User u\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environment := func(name string) string { return map[string]string{"FOO": "/foo"}[name] }
	return Config{Home: home, AgentSocket: "/agent", Getenv: environment}.withDefaults()
}

func resolved(t *testing.T, cfg Config, lines []sshconfig.Setting) settings {
	t.Helper()
	if err := refuseOthers(lines); err != nil {
		t.Fatal(err)
	}
	r := &settingsReader{lines: lines, cfg: cfg}
	s := r.read("board", Target{Alias: "board"}, DefaultUser)
	if r.err != nil {
		t.Fatal(r.err)
	}
	s.algorithms = algorithms{} // ssh -G prints its own default lists
	return *s
}

func TestTimes(t *testing.T) {
	tests := map[string]time.Duration{"0": 0, "30": 30 * time.Second, "1h30m": 90 * time.Minute, "2D": 48 * time.Hour, "1w1s": 7*24*time.Hour + time.Second}
	for text, want := range tests {
		if got, err := parseTime(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"soon", "-1", "1x", "m", "99999999999", "2147483647w2147483647w"} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestAlgorithmLists(t *testing.T) {
	usual, old := []string{"new1", "new2", "good"}, []string{"old1"}
	tests := map[string]string{
		"good,old1": "good,old1", "+old1": "new1,new2,good,old1", "-new*": "good", "^good": "good,new1,new2", "new*,nonsense": "new1,new2",
	}
	for list, want := range tests {
		r := &settingsReader{lines: []sshconfig.Setting{{Keyword: "ciphers", Args: []string{list}}}}
		if got := strings.Join(r.algorithmList("ciphers", usual, old), ","); got != want || r.err != nil {
			t.Errorf("%s gives %s, %v; want %s", list, got, r.err, want)
		}
	}
	r := &settingsReader{lines: []sshconfig.Setting{{Keyword: "ciphers", Args: []string{"nonsense"}}}}
	if got := r.algorithmList("ciphers", usual, old); r.err == nil {
		t.Errorf("unknown algorithms give %v and no error", got)
	}
}

func FuzzKnownHosts(f *testing.F) {
	f.Add([]byte("host ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIy9eRZ2vcmz0nBVJrcNbCQQGCBOVCTIkHZrYzwS1MEp\n"), "host")
	f.Add([]byte("@revoked * ssh-rsa AAAA\n|1|c2FsdA==|aGFzaA== x y\n"), "[::1]:22")
	f.Add([]byte("@cert-authority\n@what a b c\n  #\n!a,*b c d"), "b")
	f.Fuzz(func(t *testing.T, content []byte, host string) {
		for _, line := range parseKnownHosts("known_hosts", content) {
			if line.number == 0 || line.key == nil && line.fault == nil {
				t.Errorf("a line without a place, or with neither a key nor a fault: %+v", line)
			}
			_ = line.names(host)
		}
	})
}

func FuzzTokens(f *testing.F) {
	f.Add("~/.ssh/%r_%h")
	f.Add("%%${HOME}%")
	f.Fuzz(func(_ *testing.T, text string) {
		cfg := Config{Home: "/home"}
		expanded, err := (tokens{'%': "%", 'h': "host"}).expand(text, "h")
		if err == nil {
			_, _ = cfg.expandEnvironment(expanded)
		}
		_, _ = parseTime(text)
		_, _ = parseJump(text)
	})
}
