package network

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbl/e2e/lan"
	"mbl/e2e/stage"
)

const twinName = "mbed-linux-os-9999"

var twinService = map[string]string{
	"ssh": `<name>` + twinName + `</name><service><type>_ssh._tcp</type><port>22</port><txt-record>mblos</txt-record></service>`,
}

// startTwin makes a machine an SSH server with a host key of its own, and a
// real avahi-daemon that announces it under the twins' name.
func startTwin(t *testing.T, m lan.Machine) {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	server, err := stage.Start("dropbear", []string{
		"sh", "-euc", `dropbearkey -t ed25519 -f "$1" >/dev/null 2>&1; exec dropbear -F -E -p 22 -r "$1" -P "$1.pid"`, "sh", key,
	}, stage.Options{Dir: dir, Under: m.On()})
	check(t, err)
	t.Cleanup(func() { server.Stop() })
	startAvahi(t, m.On(), twinName, twinService)
}

// Two boards of one name on two cables are two devices.
func TestNamesakesOnTwoCablesBesideAvahi(t *testing.T) {
	needRoot(t)
	network, workstation := networkOfTwins(t)
	for i := range 2 {
		board, err := network.NewMachine(fmt.Sprint("b", i))
		check(t, err)
		connectTwin(t, network, board, i)
		startTwin(t, board)
	}
	check(t, stage.Until(func() error {
		return listsTwins(workstation, []string{"198.51.100.2"}, []string{"203.0.113.2"})
	}))
	for i, address := range []string{"198.51.100.2", "203.0.113.2"} {
		out, err := workstation.Run("select", fmt.Sprint(i+1))
		if want := "Selected " + twinName + " (" + address + ")\n"; err != nil || out != want {
			t.Errorf("select %d: %q, %v", i+1, out, err)
		}
	}
	if out, err := workstation.Run("select", twinName); err == nil || !strings.Contains(err.Error()+out, "2 devices go by the name") {
		t.Errorf("select of the name both have: %q, %v", out, err)
	}
}

// One board on two cables is one device, although avahi-daemon announces other
// addresses on each.
func TestABoardOnTwoCablesBesideAvahi(t *testing.T) {
	needRoot(t)
	network, workstation := networkOfTwins(t)
	board, err := network.NewMachine("b")
	check(t, err)
	connectTwin(t, network, board, 0)
	connectTwin(t, network, board, 1)
	startTwin(t, board)
	check(t, stage.Until(func() error { return listsTwins(workstation, []string{"198.51.100.2", "203.0.113.2"}) }))
}

// networkOfTwins is a workstation with an avahi-daemon of its own.
func networkOfTwins(t *testing.T) (*lan.LAN, *stage.Workstation) {
	t.Helper()
	network, err := lan.New(t.TempDir())
	check(t, err)
	t.Cleanup(network.Close)
	startAvahi(t, network.OnWorkstation(), "workstation", nil)
	workstation, err := stage.NewWorkstation(find(t, "mbl-cli"), t.TempDir(), network.OnWorkstation()...)
	check(t, err)
	return network, workstation
}

// connectTwin lays the cable i from the workstation to a board.
func connectTwin(t *testing.T, network *lan.LAN, board lan.Machine, i int) {
	t.Helper()
	subnet := []string{"198.51.100.", "203.0.113."}[i] // documentation addresses (RFC 5737)
	check(t, lan.Connect(
		lan.End{Machine: network.Workstation(), Interface: fmt.Sprint("cable", i), Address: subnet + "1/24"},
		lan.End{Machine: board, Interface: fmt.Sprint("eth", i), Address: subnet + "2/24"},
	))
}

// listsTwins wants one device for each list of IPv4 addresses.
func listsTwins(w *stage.Workstation, want ...[]string) error {
	out, err := w.Run("-o", "json", "list", "--timeout", "10s")
	if err != nil {
		return err
	}
	var devices []listed
	if err := json.Unmarshal([]byte(out), &devices); err != nil {
		return err
	}
	var got [][]string
	for _, device := range devices {
		if device.Name != twinName {
			return fmt.Errorf("listed %+v", devices)
		}
		got = append(got, slices.DeleteFunc(device.Addresses, func(a string) bool { return strings.Contains(a, ":") }))
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		return fmt.Errorf("listed %q, want %q", got, want)
	}
	return nil
}
