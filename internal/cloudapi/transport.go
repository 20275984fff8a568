package cloudapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mbl/internal/regularfile"
)

const (
	connectTimeout = 10 * time.Second
	answerTimeout  = 20 * time.Second // until the answer begins
	maxRedirects   = 3
	maxURL         = 2048    // bytes
	maxCAFile      = 4 << 20 // bytes; a system's whole list has a quarter of a megabyte
)

// Why there can be no client.
var (
	ErrURL       = errors.New("not the address of a service")
	ErrPlainHTTP = errors.New("plain http would show the API key to the network")
	ErrCAFile    = errors.New("unusable CA file")
)

// NormalizeURL brings a service's address into the one form it is compared
// in: scheme and host in lower case, no default port, no slash at the end. A
// path before /v3 is kept. Without a scheme it is https, on loopback http.
// The error matches ErrURL.
func NormalizeURL(text string) (string, error) {
	text = strings.TrimSpace(text)
	if problem := unwritable(text); problem != "" {
		return "", fmt.Errorf("%w: %s", ErrURL, problem)
	}
	if !strings.Contains(text, "://") {
		text = guessScheme(text) + "://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%w: %q cannot be read", ErrURL, text)
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("%w: %q is neither https:// nor http://", ErrURL, u.Scheme+"://")
	case u.Hostname() == "":
		return "", fmt.Errorf("%w: there is no host in it", ErrURL)
	case !isPort(u.Port()):
		return "", fmt.Errorf("%w: the port is not a number from 1 to 65535", ErrURL)
	case u.User != nil:
		return "", fmt.Errorf("%w: it holds a user name or password", ErrURL)
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%w: it holds a query or fragment", ErrURL)
	}
	if u.Port() == defaultPort(u.Scheme) {
		u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// isPort tells whether a text is a port's number; none at all is as good.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && port > 0
}

// unwritable says what keeps a text from being any address.
func unwritable(text string) string {
	switch {
	case len(text) > maxURL:
		return fmt.Sprintf("it is longer than %d bytes", maxURL)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "it holds a space, or something else than ASCII"
	}
	return ""
}

func guessScheme(address string) string {
	host, _, _ := strings.Cut(address, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if isLoopback(host) {
		return "http"
	}
	return "https"
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.IsLoopback()
}

// checkPlainHTTP refuses http to another machine.
func checkPlainHTTP(base string, allowed bool) error {
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("%w: %q", ErrURL, base)
	}
	if u.Scheme == "http" && !allowed && !isLoopback(u.Hostname()) {
		return fmt.Errorf("%w: %s", ErrPlainHTTP, base)
	}
	return nil
}

func newTransport(caFile string) (*http.Transport, error) {
	pool, err := loadCAs(caFile)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: answerTimeout,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       time.Minute,
	}, nil
}

// loadCAs reads the CAs to trust; nil stands for the system's.
func loadCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := regularfile.Read(file, maxCAFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCAFile, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%w: %s holds no certificate in PEM", ErrCAFile, file)
	}
	return pool, nil
}

// sameHost follows a redirect of a GET on the same server only: the API key
// goes nowhere else, and a redirected POST would turn into a GET.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxRedirects || first.Method != http.MethodGet ||
		req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}
