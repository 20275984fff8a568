package deviceapp_test

import (
	"net"
	"strings"
	"testing"
)

func TestAServerThatIsNotThere(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	closed := taken.LocalAddr().String()
	must(t, taken.Close())
	got := run(t, t.TempDir(), "mbl-device", "check-server", "--json", "--server", "coaps://"+closed)
	if got.code != 1 || !strings.Contains(got.out, `"server":"coaps://`+closed+`","reachable":false,"accepted":false`) {
		t.Errorf("%+v", got)
	}
}

func TestNoServerToTry(t *testing.T) {
	for _, uri := range []string{"", "http://localhost:1", "coaps://localhost"} {
		got := run(t, t.TempDir(), "mbl-device", "check-server", "--server", uri)
		if got.code != 1 || got.out != "" || !strings.HasPrefix(got.err, "mbl-device: ") {
			t.Errorf("%q: %+v", uri, got)
		}
	}
}
