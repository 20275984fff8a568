package device

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// serverURI is a server's address as credentials carry it:
// coaps://host:port?aid=<account id>.
type serverURI struct {
	address string   // host:port
	query   []string // the parameters as they stand there, "aid=…" among them
}

// parseServerURI demands the scheme and the port; both transports, TCP and
// UDP, are called coaps.
func parseServerURI(text string) (serverURI, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return serverURI{}, fmt.Errorf("server URI cannot be read: %w", err)
	}
	if parsed.Scheme != "coaps" {
		return serverURI{}, fmt.Errorf("server URI %q does not begin with coaps://", text)
	}
	if parsed.Hostname() == "" || parsed.Port() == "" {
		return serverURI{}, fmt.Errorf("server URI %q lacks the host or the port", text)
	}
	uri := serverURI{address: net.JoinHostPort(parsed.Hostname(), parsed.Port())}
	if parsed.RawQuery != "" {
		uri.query = strings.Split(parsed.RawQuery, "&")
	}
	return uri, nil
}

// account is the value of the parameter aid, "" without one.
func (u serverURI) account() string {
	for _, parameter := range u.query {
		if account, ok := strings.CutPrefix(parameter, "aid="); ok {
			return account
		}
	}
	return ""
}

// accountOf is the account in a server URI, "" if there is none.
func accountOf(text string) string {
	uri, err := parseServerURI(text)
	if err != nil {
		return ""
	}
	return uri.account()
}
