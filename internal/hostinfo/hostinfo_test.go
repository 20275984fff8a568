package hostinfo

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// board writes the files of a machine.
func board(t *testing.T, files map[string]string) Host {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Host{Root: root}
}

func TestWhatABoardSaysOfItself(t *testing.T) {
	host := board(t, map[string]string{
		"proc/meminfo":                   "MemTotal:         506048 kB\nMemFree:           81316 kB\nMemAvailable:     301220 kB\n",
		"etc/os-release":                 "NAME=\"Mbed Linux OS\"\nVERSION_ID=\"0.10\"\nIMAGE_VERSION='2026.11-3'\n",
		"sys/class/net/wlan0/wireless/x": "",
		"sys/class/net/wwan0/uevent":     "DEVTYPE=wwan\nINTERFACE=wwan0\n",
		"sys/class/net/lowpan0/type":     "825\n",
		"sys/class/net/eth0/type":        "1\n",
		"proc/net/wireless": "Inter-| sta-|   Quality        |   Discarded packets\n" +
			" face | tus | link level noise |  nwid  crypt\n" +
			" wlan0: 0000   54.  -56.  -256        0      0\n",
		"proc/net/route": "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n" +
			"eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\n" +
			"eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n" +
			"wlan0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\n",
		"proc/net/ipv6_route": "00000000000000000000000000000000 00 00000000000000000000000000000000 00 " +
			"fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n" +
			"00000000000000000000000000000000 00 00000000000000000000000000000000 00 " +
			"00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n",
	})
	if got := host.Memory(); got != (Memory{Total: 506048, Free: 301220}) {
		t.Errorf("memory %+v", got)
	}
	if got := host.SystemVersion(); got != "2026.11-3" {
		t.Errorf("version %q", got)
	}
	for name, want := range map[string]Bearer{"wlan0": WLAN, "wwan0": LTE, "lowpan0": IEEE802, "eth0": Ethernet, "none": Ethernet} {
		if got := host.bearer(name); got != want {
			t.Errorf("%s: bearer %d, want %d", name, got, want)
		}
	}
	if host.signal("wlan0") != -56 || host.signal("eth0") != 0 {
		t.Errorf("signal %d and %d", host.signal("wlan0"), host.signal("eth0"))
	}
	want := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")}
	if got := host.routers("eth0"); !slices.Equal(got, want) {
		t.Errorf("routers %v", got)
	}
}

func TestABoardThatSaysNothing(t *testing.T) {
	host := board(t, map[string]string{"proc/meminfo": "MemTotal: lots\n", "proc/net/route": "eth0\n", "proc/net/wireless": "wlan0: x\n"})
	if host.Memory() != (Memory{}) || host.SystemVersion() != "" || host.Timezone() != "" || host.signal("wlan0") != 0 || host.routers("eth0") != nil {
		t.Error("something was made up")
	}
}

func TestTheNetworkToLoopback(t *testing.T) {
	network := Host{}.NetworkTo(netip.MustParseAddrPort("127.0.0.1:5684"))
	if network.Interface != "lo" || !slices.Contains(network.Addresses, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("%+v", network)
	}
	if got := (Host{}).NetworkTo(netip.AddrPort{}); got.Interface != "" {
		t.Errorf("to nowhere: %+v", got)
	}
}
