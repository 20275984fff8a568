package network

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"mbl/e2e/lan"
	"mbl/e2e/stage"
)

// connectedBoard is a board whose device is registered, and what its network
// can be changed with.
type connectedBoard struct {
	t           *testing.T
	network     *lan.LAN
	board       *lan.RunningBoard
	workstation *stage.Workstation
	service     *stage.Service
	device      string // its id
}

func connectBoard(t *testing.T) *connectedBoard {
	t.Helper()
	needRoot(t)
	network, err := lan.New(t.TempDir())
	check(t, err)
	t.Cleanup(network.Close)
	board, err := network.StartBoard(lan.Board{
		Name: "mover", Server: "dropbear", Login: "key",
		Device: find(t, "mbl-device"), Util: find(t, "pelion-provisioning-util"),
	})
	check(t, err)
	service, workstation, err := network.StartService(find(t, "mbl-cloud"), find(t, "mbl-cli"))
	check(t, err)
	check(t, board.LetIn(workstation))
	provision := []string{
		"-a", lan.BoardAddress, "--no-input", "provision-pelion", "boards", "updates",
		"--create-dev-cert", "--accept-new-host-key",
	}
	check(t, stage.Until(func() error { // the SSH server may be starting still
		_, err := workstation.Run(provision...)
		return err
	}))
	check(t, stage.Until(func() error { return registered(workstation) }))
	out, err := workstation.Run("-o", "json", "device", "list")
	check(t, err)
	_, id, _ := strings.Cut(out, `"id": "`)
	id, _, _ = strings.Cut(id, `"`)
	return &connectedBoard{t, network, board, workstation, service, id}
}

// change runs commands of ip and nft on the board.
func (c *connectedBoard) change(lines ...string) {
	c.t.Helper()
	for _, line := range lines {
		command := slices.Concat(c.network.OnBoard(), strings.Fields(line))
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			c.t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
}

// read waits until the service reads a resource of the device with this in it.
func (c *connectedBoard) read(path, want string) {
	c.t.Helper()
	err := stage.Until(func() error {
		out, err := c.workstation.Run("device", "read", c.device, path)
		if err == nil && !strings.Contains(out, want) {
			err = fmt.Errorf("%s holds %q, want %q", path, out, want)
		}
		return err
	})
	if err != nil {
		c.t.Fatalf("%v\nthe device said:\n%s\nthe service said:\n%s", err, c.board.Log(), c.service.Output())
	}
}

// assertOneConnection fails if the device ever had to connect anew: it is to
// follow its network with the connection it has.
func (c *connectedBoard) assertOneConnection() {
	c.t.Helper()
	for _, words := range []string{"connection to the LwM2M server lost", "cannot connect to the LwM2M"} {
		if strings.Contains(c.board.Log(), words) {
			c.t.Errorf("the device lost its connection:\n%s", c.board.Log())
			return
		}
	}
}

func TestADeviceThatGetsAnotherAddressStaysConnected(t *testing.T) {
	c := connectBoard(t)
	c.read("/4/0/4", lan.BoardAddress)
	c.change("ip address delete "+lan.BoardAddress+"/24 dev eth0", "ip address add 192.0.2.77/24 dev eth0")
	c.read("/4/0/4", "192.0.2.77")
	c.assertOneConnection()
}

func TestADeviceOutlivesAPulledCable(t *testing.T) {
	c := connectBoard(t)
	c.change("ip link set eth0 down")
	if err := stage.Until(func() error {
		if !strings.Contains(c.board.Log(), "no network") {
			return fmt.Errorf("not noticed")
		}
		return nil
	}); err != nil {
		t.Fatalf("%v\nthe device said:\n%s", err, c.board.Log())
	}
	c.change("ip link set eth0 up")
	c.read("/3/0/0", "dev_manufacturer")
	c.assertOneConnection()
}

// A firewall that drops everything for a while is silence, which no event of
// the kernel announces.
func TestADeviceComesBackAfterSilence(t *testing.T) {
	c := connectBoard(t)
	c.change("nft add table inet silence",
		"nft add chain inet silence output { type filter hook output priority 0 ; }",
		"nft add rule inet silence output meta l4proto udp drop")
	if err := stage.Until(func() error {
		if !strings.Contains(c.board.Log(), "connection to the LwM2M server lost") {
			return fmt.Errorf("not noticed")
		}
		return nil
	}); err != nil {
		t.Fatalf("%v\nthe device said:\n%s", err, c.board.Log())
	}
	c.change("nft delete table inet silence")
	c.read("/3/0/0", "dev_manufacturer")
	if strings.Count(c.board.Log(), "bootstrapped") != 1 {
		t.Errorf("it bootstrapped again:\n%s", c.board.Log())
	}
}

func TestANameThatDoesNotResolveIsSaid(t *testing.T) {
	needRoot(t)
	network, err := lan.New(t.TempDir())
	check(t, err)
	t.Cleanup(network.Close)
	command := slices.Concat(network.OnBoard(), []string{
		find(t, "mbl-device"), "--root", t.TempDir(), "check-server", "--server", "coaps://service.invalid:5684",
	})
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "service.invalid") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("%v: %s", err, out)
	}
}
