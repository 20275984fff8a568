package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mbl/e2e/lan"
	"mbl/e2e/stage"
)

// A board without avahi that was enrolled is found: by mbl-cli, and by the
// avahi of another machine; once it is no device any more it is gone.
func TestAnEnrolledBoardWithoutAvahiIsFound(t *testing.T) {
	needRoot(t)
	network, board := bareBoardOf(t, lan.Board{Name: "bare", Server: "dropbear", Login: "key", Silent: true}, nil)
	workstation := developer(t, network, board)
	before := firstLogin(t, board, workstation)
	if out := enroll(t, workstation, "--binary", find(t, "mbl-device")); !strings.Contains(out, "mbl-device itself announces it") {
		t.Errorf("enroll said %q", out)
	}
	check(t, stage.Until(func() error { return listsNames(workstation, "bare") }))
	check(t, stage.Until(func() error { return avahiFinds(t, network.Workstation(), "bare", "bare.local", lan.BoardAddress) }))

	enrollForPrograms(t, workstation)
	if out := enroll(t, workstation, "--binary", find(t, "mbl-device"), "--no-announce"); !strings.Contains(out, "is not announced") {
		t.Errorf("enroll --no-announce said %q", out)
	}
	check(t, stage.Until(func() error { return listsNames(workstation) }))
	enroll(t, workstation, "--undo")
	assertSame(t, before, tree(t, board))
}

// enrollForPrograms enrolls a board that is a device already, and compares all
// that is printed for programs.
func enrollForPrograms(t *testing.T, workstation *stage.Workstation) {
	t.Helper()
	program := find(t, "mbl-device")
	out, err := workstation.Run("-o", "json", "--no-input", "enroll", "root@"+lan.BoardAddress, "--binary", program)
	check(t, err)
	want := fmt.Sprintf(`{
		"board": "root@%s:22", "architecture": %q, "init": "sysv", "announced": true, "announced_by": "mbl-device",
		"binary": %q, "dry_run": false, "undo": false, "changed": false, "changes": [
			{"action": "keep", "path": "/opt/arm/mbl-device"},
			{"action": "keep", "path": "/opt/arm/pelion-provisioning-util"},
			{"action": "keep", "path": "/etc/init.d/mbl-device"},
			{"action": "keep", "path": "/etc/init.d/S99mbl-device"}
		]}`, lan.BoardAddress, runtime.GOARCH, program)
	var printed, wanted any
	check(t, json.Unmarshal([]byte(out), &printed))
	check(t, json.Unmarshal([]byte(want), &wanted))
	if !reflect.DeepEqual(printed, wanted) {
		t.Errorf("it prints %s\nwant %s", out, want)
	}
}

// Boards of one image share a network: each gets a name of its own, and an
// avahi among them keeps its own.
func TestBoardsOfOneImageOnOneNetwork(t *testing.T) {
	needRoot(t)
	network, workstation, hub := switched(t)
	first := plug(t, network, hub, 1)
	startAvahi(t, first.On(), "board", map[string]string{
		"ssh": `<name>board</name><service><type>_ssh._tcp</type><port>22</port><txt-record>mblos</txt-record></service>`,
	})
	check(t, stage.Until(func() error { return listsNames(workstation, "board") }))
	for i := 2; i <= 4; i++ { // at the same time
		announcing(t, plug(t, network, hub, i), "board")
	}
	check(t, stage.Until(func() error { return listsNames(workstation, "board", "board (2)", "board (3)", "board (4)") }))
	check(t, stage.Until(func() error {
		hosts, err := hostsListed(workstation)
		if want := []string{"board-2.local", "board-3.local", "board-4.local", "board.local"}; err == nil && !slices.Equal(hosts, want) {
			err = fmt.Errorf("their hosts are %q", hosts)
		}
		return err
	}))
}

// Where avahi does multicast DNS, or begins to, mbl-device does not.
func TestTheAnnouncementGivesWayToAvahi(t *testing.T) {
	needRoot(t)
	network, workstation, hub := switched(t)
	service := map[string]string{
		"ssh": `<name>by avahi</name><service><type>_ssh._tcp</type><port>22</port><txt-record>mblos</txt-record></service>`,
	}
	board := plug(t, network, hub, 1)
	device := announcing(t, board, "board")
	check(t, stage.Until(func() error { return listsNames(workstation, "board") }))
	startAvahi(t, board.On(), "board", service)
	check(t, device.Until("it gives way", func() bool { return strings.Contains(device.Output(), "not announced any more") }))
	check(t, stage.Until(func() error { return listsNames(workstation, "by avahi") }))
	if hosts, err := hostsListed(workstation); err != nil || !slices.Equal(hosts, []string{"board.local"}) {
		t.Errorf("avahi had to take the name %q, %v", hosts, err)
	}

	late := plug(t, network, hub, 2)
	startAvahi(t, late.On(), "late", map[string]string{"ssh": strings.Replace(service["ssh"], "by avahi", "late", 1)})
	check(t, stage.Until(func() error { return listsNames(workstation, "by avahi", "late") }))
	silent := announcing(t, late, "late")
	check(t, silent.Until("it is silent", func() bool { return strings.Contains(silent.Output(), "another program has the port") }))
	check(t, listsNames(workstation, "by avahi", "late"))
}

// Cables are plugged in and out, and addresses come late.
func TestAnAnnouncedBoardWhoseNetworkComesAndGoes(t *testing.T) {
	needRoot(t)
	network, workstation, hub := switched(t)
	board, err := network.NewMachine("late")
	check(t, err)
	announcing(t, board, "board") // there is no network yet
	check(t, connect(board, hub, 1))
	check(t, stage.Until(func() error { return listsNames(workstation, "board") }))
	check(t, board.Run("ip", "address", "del", "192.0.2.101/24", "dev", "eth0"))
	check(t, board.Run("ip", "address", "add", "192.0.2.150/24", "dev", "eth0"))
	check(t, stage.Until(func() error {
		return listsAddress(workstation, "192.0.2.150")
	}))
	check(t, board.Run("ip", "link", "set", "eth0", "down"))
	check(t, board.Run("ip", "link", "set", "eth0", "up"))
	check(t, stage.Until(func() error { return listsNames(workstation, "board") }))
}

// switched is a workstation and a switch.
func switched(t *testing.T) (*lan.LAN, *stage.Workstation, lan.Machine) {
	t.Helper()
	network, err := lan.New(t.TempDir())
	check(t, err)
	t.Cleanup(network.Close)
	hub, err := network.NewMachine("hub")
	check(t, err)
	check(t, hub.Run("ip", "link", "add", "br0", "type", "bridge"))
	check(t, hub.Run("ip", "link", "set", "br0", "up"))
	check(t, lan.Connect(
		lan.End{Machine: network.Workstation(), Interface: "lan0", Address: "192.0.2.100/24"}, lan.End{Machine: hub, Interface: "port0"},
	))
	check(t, hub.Run("ip", "link", "set", "port0", "master", "br0"))
	workstation, err := stage.NewWorkstation(find(t, "mbl-cli"), t.TempDir(), network.OnWorkstation()...)
	check(t, err)
	return network, workstation, hub
}

// plug makes a machine and connects it to the switch.
func plug(t *testing.T, network *lan.LAN, hub lan.Machine, number int) lan.Machine {
	t.Helper()
	m, err := network.NewMachine(fmt.Sprint("m", number))
	check(t, err)
	check(t, connect(m, hub, number))
	return m
}

func connect(m, hub lan.Machine, number int) error {
	port := fmt.Sprint("port", number)
	return errors.Join(lan.Connect(
		lan.End{Machine: m, Interface: "eth0", Address: fmt.Sprintf("192.0.2.%d/24", 100+number)}, lan.End{Machine: hub, Interface: port},
	), hub.Run("ip", "link", "set", port, "master", "br0"))
}

// announcing runs mbl-device on a machine of that name.
func announcing(t *testing.T, m lan.Machine, name string) *stage.Process {
	t.Helper()
	dir := t.TempDir()
	device, err := stage.Start("device", []string{
		"unshare", "--uts", "sh", "-euc", `hostname "$1"; exec "$2" run --state "$3" --announce 22`, "sh", name, find(t, "mbl-device"), dir,
	}, stage.Options{Dir: dir, Under: m.On()})
	check(t, err)
	t.Cleanup(func() { device.Stop() })
	return device
}

func list(w *stage.Workstation) ([]listed, error) {
	out, err := w.Run("-o", "json", "list", "--timeout", "6s")
	if err != nil {
		return nil, err
	}
	var devices []listed
	return devices, json.Unmarshal([]byte(out), &devices)
}

func listsNames(w *stage.Workstation, want ...string) error {
	devices, err := list(w)
	var got []string
	for _, device := range devices {
		got = append(got, device.Name)
	}
	slices.Sort(got)
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("listed %q, want %q", got, want)
	}
	return err
}

func hostsListed(w *stage.Workstation) ([]string, error) {
	devices, err := list(w)
	var hosts []string
	for _, device := range devices {
		hosts = append(hosts, device.Host)
	}
	slices.Sort(hosts)
	return hosts, err
}

func listsAddress(w *stage.Workstation, want string) error {
	devices, err := list(w)
	if err == nil && (len(devices) != 1 || !slices.Contains(devices[0].Addresses, want)) {
		err = fmt.Errorf("listed %+v", devices)
	}
	return err
}

// avahiFinds asks an avahi-daemon on the machine, and the D-Bus it needs for
// that.
func avahiFinds(t *testing.T, m lan.Machine, name, host, address string) error {
	t.Helper()
	dir := t.TempDir()
	config := "[server]\nhost-name=asker\nuse-ipv4=yes\nuse-ipv6=yes\n[publish]\npublish-workstation=no\n"
	if err := os.WriteFile(filepath.Join(dir, "avahi.conf"), []byte(config), 0o600); err != nil {
		return err
	}
	script := `mount -t tmpfs none /run; mkdir /run/avahi-daemon /run/dbus
dbus-daemon --system --nofork --nopidfile & bus=$!
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done
avahi-daemon --no-drop-root --no-chroot -f "$1/avahi.conf" >"$1/log" 2>&1 & daemon=$!
for try in 1 2 3 4 5 6 7 8 9 10; do
	avahi-browse --resolve --terminate --parsable _ssh._tcp && break
	sleep 0.5
done
kill $daemon $bus`
	out, err := lan.Output(slices.Concat(m.On(), []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-uc", script, "sh", dir})...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSpace(line), ";")
		if len(fields) == 10 && fields[0] == "=" && fields[3] == name && fields[6] == host && fields[7] == address && fields[8] == "22" && fields[9] == `"mblos"` {
			return nil
		}
	}
	return fmt.Errorf("avahi finds:\n%s", out)
}
