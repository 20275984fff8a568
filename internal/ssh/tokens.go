package ssh

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// tokens are what the % signs of ssh_config(5) stand for.
type tokens map[byte]string

func (c Config) tokensFor(original string, target Target, hostKeyAlias string) tokens {
	machine, _ := os.Hostname()
	short, _, _ := strings.Cut(machine, ".")
	if hostKeyAlias == "" {
		hostKeyAlias = original
	}
	return tokens{
		'%': "%", 'd': c.Home, 'h': target.Address(), 'n': original, 'p': strconv.Itoa(int(target.Port)),
		'r': target.User, 'u': localUser(), 'i': strconv.Itoa(os.Getuid()), 'l': machine, 'L': short, 'k': hostKeyAlias,
	}
}

// expand puts in what the tokens stand for; allowed are the letters of those
// the keyword takes.
func (t tokens) expand(text, allowed string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		i++
		if i == len(text) {
			return "", fmt.Errorf("%q ends with a lone %%", text)
		}
		if text[i] != '%' && !strings.Contains(allowed, text[i:i+1]) {
			return "", fmt.Errorf("%q has the token %%%c, which is not supported there", text, text[i])
		}
		b.WriteString(t[text[i]])
	}
	return b.String(), nil
}

// expandEnvironment puts in ${NAME}; a variable that is not set is an error, as
// with ssh.
func (c Config) expandEnvironment(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("%q lacks a }", text)
		}
		value := c.environment(name)
		if value == "" {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		b.WriteString(value)
		text = after
	}
}

func (c Config) environment(name string) string {
	if c.Getenv == nil {
		return ""
	}
	return c.Getenv(name)
}

// homePath makes a file name absolute as ssh does it: ~ is the home folder, and
// other relative names are relative to the folder one stands in.
func (c Config) homePath(name string) (string, error) {
	rest, ok := strings.CutPrefix(name, "~")
	switch {
	case !ok:
		return filepath.Abs(name)
	case rest == "" || rest[0] == '/':
		return filepath.Join(c.Home, rest), nil
	}
	account, inside, _ := strings.Cut(rest, "/")
	found, err := user.Lookup(account)
	if err != nil {
		return "", fmt.Errorf("%q: %w", name, err)
	}
	return filepath.Join(found.HomeDir, inside), nil
}

// localUser is the person's own account; empty if the system does not know it.
func localUser() string {
	account, err := user.Current()
	if err != nil {
		return ""
	}
	return account.Username
}
