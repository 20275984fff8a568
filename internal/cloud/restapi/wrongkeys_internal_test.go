package restapi

import (
	"net/http"
	"net/netip"
	"testing"
	"time"
)

func TestWhatIsRememberedOfWrongKeysIsBounded(t *testing.T) {
	g, now := newWrongKeys(), time.Now()
	for i := range 3 * maxWrongAddresses {
		address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		g.failed(netip.PrefixFrom(address, 32), now)
	}
	if len(g.addresses) > maxWrongAddresses {
		t.Errorf("%d addresses are remembered", len(g.addresses))
	}
}

func TestAnIPv6NetworkIsOneAddress(t *testing.T) {
	for from, wanted := range map[string]string{
		"192.0.2.1:80": "192.0.2.1/32", "[::ffff:192.0.2.1]:80": "192.0.2.1/32", "[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64", "@": "invalid Prefix",
	} {
		if got := addressOf(&http.Request{RemoteAddr: from}).String(); got != wanted {
			t.Errorf("%s is %s", from, got)
		}
	}
}
