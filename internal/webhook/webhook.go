// Package webhook delivers to HTTP servers whose addresses users chose. It
// reaches no private network unless that is allowed: the service would be used
// to talk to its neighbours. What an address resolves to is checked when it is
// dialled, so that a name cannot change in between.
package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// ErrForbiddenAddress means that the address is of a network that must not be reached.
var ErrForbiddenAddress = errors.New("the address is of a private network")

const (
	timeout        = 20 * time.Second // for one delivery, answer included
	connectTimeout = 10 * time.Second
	idleTimeout    = 90 * time.Second
	maxAnswer      = 64 << 10 // bytes read of an answer, to use the connection again
)

// Client delivers. It is safe for concurrent use.
type Client struct{ http http.Client }

// New makes a Client. allowPrivate lets it reach this machine and private
// networks too.
func New(allowPrivate bool) *Client {
	dialer := &net.Dialer{Timeout: connectTimeout}
	if !allowPrivate {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkPublic(address) }
	}
	return &Client{http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			TLSHandshakeTimeout: connectTimeout,
			IdleConnTimeout:     idleTimeout,
			MaxIdleConnsPerHost: 1,
			ForceAttemptHTTP2:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Put sends JSON with PUT, or nothing if body is empty. It returns nil if the answer is 200 or 204, an
// error that wraps ErrForbiddenAddress, or one that says what else went wrong
// without the address, which may hold a secret.
func (c *Client) Put(ctx context.Context, address string, headers map[string]string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address cannot be used")
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := c.http.Do(request)
	if err != nil {
		var withAddress *url.Error
		if errors.As(err, &withAddress) {
			err = withAddress.Err
		}
		return fmt.Errorf("cannot deliver: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the server answered %d", response.StatusCode)
	}
	return nil
}

// checkPublic refuses an address, as it is dialled, that is not of the public
// internet.
func checkPublic(address string) error {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrForbiddenAddress, address)
	}
	if ip := parsed.Addr().Unmap().WithZone(""); !public(ip) {
		return fmt.Errorf("%w: %s", ErrForbiddenAddress, ip)
	}
	return nil
}

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, special := range specialNetworks() {
		if special.Contains(ip) {
			return false
		}
	}
	return true
}

// specialNetworks are those of IANA's registries of special-purpose addresses
// (RFC 6890) that net/netip does not tell from public ones. Some stand for an
// IPv4 address behind a translator.
func specialNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"), // shared by carriers' customers (RFC 6598)
		netip.MustParsePrefix("192.0.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("::/96"),
		netip.MustParsePrefix("64:ff9b::/96"),
		netip.MustParsePrefix("64:ff9b:1::/48"),
		netip.MustParsePrefix("100::/64"),
		netip.MustParsePrefix("2001::/23"),
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("2002::/16"), // 6to4
		netip.MustParsePrefix("fec0::/10"),
	}
}
