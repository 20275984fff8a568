package network

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbl/e2e/lan"
	"mbl/e2e/stage"
)

// announced are the services of a board's avahi-daemon.
var announced = map[string]string{
	"plain":        `<name>mbed-linux-os-9999</name><service><type>_ssh._tcp</type><port>22</port><txt-record>mblos</txt-record></service>`,
	"with-others":  `<name>Gerät 1.2 (lab)</name><service><type>_ssh._tcp</type><port>2222</port><txt-record>version=3</txt-record><txt-record>mblos=1</txt-record></service>`,
	"no-device":    `<name>somebody's laptop</name><service><type>_ssh._tcp</type><port>22</port><txt-record>os=other</txt-record></service>`,
	"another-kind": `<name>a printer</name><service><type>_ipp._tcp</type><port>631</port><txt-record>mblos</txt-record></service>`,
}

// Devices that a real avahi-daemon announces are found, beside another
// avahi-daemon on the workstation, with all their addresses.
func TestDevicesOfAvahiAreFoundBesideAvahi(t *testing.T) {
	needRoot(t)
	network, err := lan.New(t.TempDir())
	check(t, err)
	t.Cleanup(network.Close)
	startAvahi(t, network.OnBoard(), "board-of-avahi", announced)
	startAvahi(t, network.OnWorkstation(), "workstation", nil)
	workstation, err := stage.NewWorkstation(find(t, "mbl-cli"), t.TempDir(), network.OnWorkstation()...)
	check(t, err)
	check(t, stage.Until(func() error { return listsBoth(workstation) }))
}

type listed struct {
	Name      string   `json:"name"`
	Host      string   `json:"host"`
	Addresses []string `json:"addresses"`
}

func listsBoth(w *stage.Workstation) error {
	out, err := w.Run("-o", "json", "list", "--timeout", "10s")
	if err != nil {
		return err
	}
	var devices []listed
	if err := json.Unmarshal([]byte(out), &devices); err != nil {
		return err
	}
	slices.SortFunc(devices, func(a, b listed) int { return strings.Compare(a.Name, b.Name) })
	if len(devices) != 2 || devices[0].Name != "Gerät 1.2 (lab)" || devices[1].Name != "mbed-linux-os-9999" {
		return fmt.Errorf("listed %+v", devices)
	}
	if got := devices[0].Addresses; len(got) != 2 || got[0] != lan.BoardAddress+":2222" || !strings.HasSuffix(got[1], "%ws0]:2222") {
		return fmt.Errorf("the one on port 2222 has %q", got)
	}
	local, err := netip.ParseAddr(devices[1].Addresses[len(devices[1].Addresses)-1])
	if err != nil || !local.IsLinkLocalUnicast() || local.Zone() != "ws0" || devices[1].Addresses[0] != lan.BoardAddress {
		return fmt.Errorf("the plain one has %q, %w", devices[1].Addresses, err)
	}
	return nil
}

// startAvahi runs an avahi-daemon in a network name space, with the services
// given, and without D-Bus.
func startAvahi(t *testing.T, under []string, host string, services map[string]string) {
	t.Helper()
	dir := t.TempDir()
	config := "[server]\nhost-name=" + host + "\nuse-ipv4=yes\nuse-ipv6=yes\nenable-dbus=no\n[publish]\npublish-workstation=no\n"
	check(t, os.WriteFile(filepath.Join(dir, "avahi.conf"), []byte(config), 0o600))
	for name, service := range services {
		file := filepath.Join(dir, name+".service")
		check(t, os.WriteFile(file, []byte("<service-group>"+service+"</service-group>"), 0o600))
	}
	// A mount name space of its own: the daemon's files have fixed places.
	script := `mount -t tmpfs none /run; mkdir /run/avahi-daemon; mount --bind "$1" /etc/avahi/services
exec avahi-daemon --no-drop-root --no-chroot -f "$1/avahi.conf"`
	daemon, err := stage.Start(host, []string{"unshare", "--mount", "sh", "-euc", script, "sh", dir}, stage.Options{Dir: dir, Under: under})
	check(t, err)
	t.Cleanup(func() { daemon.Stop() })
}

// So many devices do not fit into one packet: avahi-daemon leaves records out,
// which must be asked for.
func TestManyDevicesOfAvahiAreAllFound(t *testing.T) {
	needRoot(t)
	network, err := lan.New(t.TempDir())
	check(t, err)
	t.Cleanup(network.Close)
	const many = 80
	services := map[string]string{}
	for i := range many {
		services[fmt.Sprint(i)] = fmt.Sprintf(`<name>board %d, whose name is rather long for a board's name</name>`+
			`<service><type>_ssh._tcp</type><port>%d</port><txt-record>mblos</txt-record></service>`, i, 1000+i)
	}
	startAvahi(t, network.OnBoard(), "many", services)
	workstation, err := stage.NewWorkstation(find(t, "mbl-cli"), t.TempDir(), network.OnWorkstation()...)
	check(t, err)
	check(t, stage.Until(func() error {
		out, err := workstation.Run("list", "--timeout", "10s")
		if lines := strings.Count(out, "\n"); err == nil && lines != many {
			return fmt.Errorf("%d devices are listed", lines)
		}
		return err
	}))
}
