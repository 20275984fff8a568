package sshconfig_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbl/internal/ssh/sshconfig"
)

func write(t testing.TB, file, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// read gives the lines that apply as `keyword=arg|arg`.
func read(t *testing.T, text string) ([]string, error) {
	t.Helper()
	home := t.TempDir()
	write(t, filepath.Join(home, ".ssh", "part"), "Port 7\nHost other\n  User nobody\n")
	file := write(t, filepath.Join(home, ".ssh", "config"), text)
	query := sshconfig.Query{Host: "board", DefaultUser: "root", LocalUser: "me", Home: home}
	settings, err := sshconfig.Read(query, sshconfig.Source{File: file})
	var lines []string
	for _, s := range settings {
		lines = append(lines, s.Keyword+"="+strings.Join(s.Args, "|"))
	}
	return lines, err
}

func TestLinesThatApply(t *testing.T) {
	tests := map[string]struct{ config, want string }{
		"nothing":              {"# only a comment\n\n", ""},
		"an equals sign":       {"Port=22\nUser = bob\n", "port=22 user=bob"},
		"words in quotes":      {"IdentityFile \"a b\"'c d'\n", "identityfile=a bc d"},
		"a comment behind":     {"Port 22 # the usual\n", "port=22"},
		"carriage returns":     {"Port 22\r\nUser bob\r\n", "port=22 user=bob"},
		"a command":            {"ProxyCommand nc \"%h\" %p # x\n", "proxycommand=nc \"%h\" %p # x"},
		"Host":                 {"Host other\nPort 1\nHost x bo?rd\nPort 2\n", "port=2"},
		"? is one character":   {"Host board?\nPort 1\n", ""},
		"Host without":         {"Host * !board\nPort 1\n", ""},
		"Host with tabs":       {"Host\tx\tboard\n\tPort\t1\n", "port=1"},
		"Match all":            {"Host x\nMatch all\nPort 1\n", "port=1"},
		"Match host list":      {"Match host x,board\nPort 1\n", "port=1"},
		"Match host and user":  {"Match host board user bob\nPort 1\nMatch host board user root\nPort 2\n", "port=2"},
		"Match after HostName": {"HostName %h.lan\nMatch host board\nPort 1\nMatch host board.lan\nPort 2\n", "hostname=%h.lan port=2"},
		"Match originalhost":   {"HostName x\nMatch originalhost board\nPort 1\n", "hostname=x port=1"},
		"Match not":            {"Match !host other localuser=me\nPort 1\n", "port=1"},
		"Include":              {"Include part\nUser bob\n", "port=7 user=bob"},
		"Include elsewhere":    {"Host other\nInclude part\n", ""},
		"Include of nothing":   {"Include none*\nPort 1\n", "port=1"},
		"exec for others":      {"Match host other exec \"true\"\nPort 1\n", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			lines, err := read(t, test.config)
			if got := strings.Join(lines, " "); err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestLinesOnlySSHCanDecide(t *testing.T) {
	for _, config := range []string{
		"Match exec true\n", "Match host board canonical\n", "Match final all\n",
		"CanonicalizeHostname yes\n", "Include %d/x\n", "Match localnetwork 10.0.0.0/8\n",
	} {
		_, err := read(t, "Port 1\n"+config)
		var beyond *sshconfig.BeyondError
		if !errors.As(err, &beyond) || beyond.Line != 2 || filepath.Base(beyond.File) != "config" {
			t.Errorf("%q: err = %v, want line 2 of config", config, err)
		}
	}
}

func TestUnreadableLinesAreNamed(t *testing.T) {
	for _, config := range []string{"User \"bob\n", "Port\n", "Host\n", "Match\n", "Match host\n", "Include config\n"} {
		_, err := read(t, config)
		if err == nil || !strings.Contains(err.Error(), "config:1: ") {
			t.Errorf("%q: err = %v, want one that names config:1", config, err)
		}
	}
}

func TestAConfigurationThatOthersCanWriteIsRefused(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "config"), "Port 1\n")
	if err := os.Chmod(file, 0o622); err != nil {
		t.Fatal(err)
	}
	if _, err := sshconfig.Read(sshconfig.Query{Host: "board"}, sshconfig.Source{File: file}); err == nil || !strings.Contains(err.Error(), "written by others") {
		t.Errorf("err = %v", err)
	}
}

func TestAFolderIsNoConfiguration(t *testing.T) {
	if _, err := sshconfig.Read(sshconfig.Query{Host: "board"}, sshconfig.Source{File: t.TempDir()}); err == nil {
		t.Error("no error")
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"Host a b\n Port=22\n", "Match host a,b user x\nIdentityFile \"a b\"\n", "Include x\nMatch !exec \"a\\\" b\"\n", "ProxyCommand a 'b\n", "Host = !*?*\n",
	} {
		f.Add(seed, "board")
	}
	f.Fuzz(func(t *testing.T, text, host string) {
		home := t.TempDir()
		file := write(t, filepath.Join(home, "config"), text)
		settings, err := sshconfig.Read(sshconfig.Query{Host: host, Home: home}, sshconfig.Source{File: file})
		if err != nil && !strings.Contains(err.Error(), "config") {
			t.Errorf("the error does not name the file: %v", err)
		}
		for _, s := range settings {
			if s.Keyword == "" || len(s.Args) == 0 || s.Line == 0 {
				t.Errorf("a setting without a keyword, a value or a place: %+v", s)
			}
		}
	})
}
