package cloudapp

import (
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"

	"mbl/internal/usererr"
)

// defaultHost reaches the service from this machine only.
const defaultHost = "127.0.0.1"

// maxHostLength keeps addresses within what devices store.
const maxHostLength = 200

// hostName is a name as DNS has it (RFC 1123, section 2.1), or one with the
// underscores of local networks.
var hostName = regexp.MustCompile(`^[[:alnum:]_]([[:alnum:]_-]*[[:alnum:]_])?(\.[[:alnum:]_]([[:alnum:]_-]*[[:alnum:]_])?)*$`)

// checkHost checks the name devices reach the service by: it becomes part of
// URIs and of files on devices. An empty one is none given.
func checkHost(host string) error {
	address, err := netip.ParseAddr(host)
	if host == "" || err == nil && address.Zone() == "" {
		return nil
	}
	if name, port, found := strings.Cut(host, ":"); found && hostName.MatchString(name) && hostName.MatchString(port) {
		return usererr.Usage("--host is %q; ports belong to --bootstrap and --lwm2m", host)
	}
	if !hostName.MatchString(host) || len(host) > maxHostLength {
		return usererr.Usage("--host is %q, and not a host name or an IP address", host)
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
		log.Warn("the host name was changed: devices provisioned before have an earlier name in their credentials, which must "+
			"keep leading here until `mbl-cli provision-pelion` was run for each of them again", "host", hosts[0], "earlier", hosts[1:])
	}
}
