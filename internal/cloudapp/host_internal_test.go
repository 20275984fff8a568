package cloudapp

import (
	"strings"
	"testing"
)

// What is no name would stay in devices' credentials for good.
func TestOnlyNamesAndAddressesAreHosts(t *testing.T) {
	for _, host := range []string{"", "a", "localhost", "my-board.local", "my_service", "Devices.Example", "xn--bcher-kva.example", "192.0.2.1", "::1", "2001:db8::1"} {
		if err := checkHost(host); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
	for _, host := range []string{
		"-", "-a", "a-", "a..b", ".a", "a.", "a b", "a,b", "*.example", "bücher.example", "http://a", "a/b", "a:80", "a:", "[::1]",
		"fe80::1%eth0", "a\"b", "a;b", "$HOST", strings.Repeat("a", 201),
	} {
		if checkHost(host) == nil {
			t.Errorf("%q is taken", host)
		}
	}
}
