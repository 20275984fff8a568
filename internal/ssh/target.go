package ssh

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"mbl/internal/secret"
)

// DefaultUser is who a target without a user is logged in as: devices have
// one account.
const DefaultUser = "root"

// DefaultPort is the port of a target without one (RFC 4253, section 4).
const DefaultPort = 22

// Target says which device to log in to. The zero values of User and Port
// mean "as the Host entry in ~/.ssh/config says, else the default".
type Target struct {
	User string // account on the device
	Host string // host name or IP address without zone; may be empty if Alias is set
	Zone string // interface of a link-local IPv6 address
	Port uint16

	// Alias names the Host entry in ~/.ssh/config whose settings apply. Empty:
	// the entries that match Host, as `ssh HOST` would choose them.
	Alias string

	// Password is offered where the device asks for one. It is never shown
	// and never stored by this package.
	Password secret.Text
}

// ParseTarget reads HOST, HOST:PORT, IPv4[:PORT], IPv6[%ZONE] or
// [IPv6[%ZONE]]:PORT, each with an optional USER@ before it.
func ParseTarget(text string) (Target, error) {
	var t Target
	rest := text
	if scheme, _, is := strings.Cut(text, "://"); is {
		return Target{}, targetError(text, "an address stands without "+scheme+"://")
	}
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		t.User, rest = text[:at], text[at+1:]
		if !validUser(t.User) {
			return Target{}, targetError(text, "the user name is empty or not plain text")
		}
	}
	host, port, err := splitPort(rest)
	if err != nil {
		return Target{}, targetError(text, err.Error())
	}
	t.Port = port
	if err := t.setHost(host); err != nil {
		return Target{}, targetError(text, err.Error())
	}
	return t, nil
}

// maxHost is how long a host name may be (RFC 1035, section 2.3.4), with an
// account before it and a port behind.
const maxHost = 400

func targetError(text, problem string) error {
	if len(text) > maxHost {
		return fmt.Errorf("%w: it is longer than %d bytes", ErrTarget, maxHost)
	}
	return fmt.Errorf("%w: %q: %s", ErrTarget, text, problem)
}

// splitPort parts the port from the host. A bare IPv6 address has colons of
// its own and no port.
func splitPort(text string) (host string, port uint16, err error) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		host, after, closed := strings.Cut(inner, "]")
		if !closed {
			return "", 0, fmt.Errorf("the closing ] is missing")
		}
		if !strings.Contains(host, ":") {
			return "", 0, fmt.Errorf("only an IPv6 address stands in brackets")
		}
		if after == "" {
			return host, 0, nil
		}
		digits, ok := strings.CutPrefix(after, ":")
		if !ok {
			return "", 0, fmt.Errorf("only a port may follow the ]")
		}
		port, err = parsePort(digits)
		return host, port, err
	}
	if strings.Count(text, ":") != 1 {
		return text, 0, nil
	}
	host, digits, _ := strings.Cut(text, ":")
	port, err = parsePort(digits)
	return host, port, err
}

func parsePort(digits string) (uint16, error) {
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the port is not a number from 1 to 65535")
	}
	return uint16(n), nil
}

func (t *Target) setHost(host string) error {
	address, err := netip.ParseAddr(host)
	if err == nil {
		t.Host, t.Zone = address.WithZone("").String(), address.Zone()
		if !validZone(t.Zone) {
			return fmt.Errorf("the zone after %% is no interface name")
		}
		return nil
	}
	if !validHostName(host) {
		return fmt.Errorf("this is neither an IP address nor a host name")
	}
	t.Host = host
	return nil
}

// validHostName accepts what resolvers and Host aliases use; a leading dash
// could pass for an option of another program.
func validHostName(host string) bool {
	if host == "" || len(host) > 253 || host[0] == '-' || host[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(host, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	})
}

func validZone(zone string) bool {
	return !strings.ContainsFunc(zone, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("/%[]@", r) })
}

func validUser(user string) bool {
	return user != "" && user[0] != '-' && !strings.ContainsFunc(user, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// Address is the host with its zone: an IP literal as net.Dial takes it, or
// the name.
func (t Target) Address() string {
	if t.Zone == "" {
		return t.Host
	}
	return t.Host + "%" + t.Zone
}

// String is the target as ParseTarget reads it, without what is unset. A
// target known by its alias alone is shown as the alias.
func (t Target) String() string {
	text := t.Address()
	switch {
	case text == "":
		text = t.Alias
	case t.Port != 0 && strings.Contains(t.Host, ":"):
		text = "[" + text + "]:" + strconv.Itoa(int(t.Port))
	case t.Port != 0:
		text += ":" + strconv.Itoa(int(t.Port))
	}
	if t.User == "" {
		return text
	}
	return t.User + "@" + text
}
