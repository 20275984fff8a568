package cloudapp

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"mbl/internal/usererr"
)

// defaultHost reaches the service from this machine only.
const defaultHost = "127.0.0.1"

// maxHostLength keeps addresses within what devices store.
const maxHostLength = 200

// checkHost checks the name devices reach the service by: it becomes part of
// URIs and of files on devices.
func checkHost(host string) error {
	if strings.ContainsAny(host, "/?#@[]%\"'\\<> \t\r\n") || len(host) > maxHostLength {
		return usererr.Usage("--host is %q, and not a host name or an IP address", host)
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ":") {
		return usererr.Usage("--host is %q; ports belong to --bootstrap and --lwm2m", host)
	}
	return nil
}

func isLoopback(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// isPublic tells whether a listening address can be reached from elsewhere.
func isPublic(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && !isLoopback(host)
}

// warnAboutHost says what will not work with the host names in use.
func warnAboutHost(log *slog.Logger, options serveOptions, hosts []string) {
	if isLoopback(hosts[0]) && isPublic(options.https) {
		log.Warn("devices on other machines cannot reach this service: "+
			"the address in their credentials is a loopback name; set --host", "host", hosts[0])
	}
	if len(hosts) > 1 {
		log.Warn("the host name was changed: devices provisioned before use an earlier name, "+
			"which must keep leading here until they are provisioned again", "host", hosts[0], "earlier", hosts[1:])
	}
}
