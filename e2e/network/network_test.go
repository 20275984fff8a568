// Package network provisions boards over a real network: two machines made of
// name spaces, one cable between them, other people's SSH servers and mDNS
// responder on the board. It needs root, to make the name spaces.
package network

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mbl/e2e/lan"
	"mbl/e2e/programs"
	"mbl/e2e/stage"
	"mbl/internal/program/programtest"
)

func TestMain(m *testing.M) {
	programtest.DefaultSignals()
	testscript.Main(m, programs.All())
}

func TestProvisioningABoardFoundByMDNS(t *testing.T) {
	needRoot(t)
	for _, server := range []string{"openssh", "dropbear"} {
		for _, login := range []string{"none", "key", "password"} {
			t.Run(server+"/"+login, func(t *testing.T) { provision(t, server, login) })
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to make network name spaces")
	}
}

func provision(t *testing.T, server, login string) {
	network, err := lan.New(t.TempDir())
	check(t, err)
	t.Cleanup(network.Close)
	name := "mbed-linux-os-" + server
	board, err := network.StartBoard(lan.Board{
		Name: name, Server: server, Login: login,
		Device: find(t, "mbl-device"), Util: find(t, "pelion-provisioning-util"),
	})
	check(t, err)
	service, workstation, err := network.StartService(find(t, "mbl-cloud"), find(t, "mbl-cli"))
	check(t, err)
	check(t, board.LetIn(workstation))
	check(t, board.Choose(workstation, discover(t, workstation, name)))

	_, err = workstation.Run("--no-input", "provision-pelion", "boards", "updates", "--create-dev-cert", "--accept-new-host-key")
	if err != nil {
		t.Fatalf("%v\nthe board said:\n%s", err, board.Output())
	}
	left, err := os.ReadDir(board.Path("scratch"))
	check(t, err)
	if len(left) > 0 {
		t.Errorf("left on the board: %s", left)
	}
	if err := stage.Until(func() error { return registered(workstation) }); err != nil {
		t.Fatalf("%v\nthe device said:\n%s\nthe service said:\n%s", err, board.Log(), service.Output())
	}
	out, err := workstation.Run("--no-input", "get-pelion-status")
	if err != nil || !strings.Contains(out, "Device is configured correctly") {
		t.Errorf("get-pelion-status: %v, said %q", err, out)
	}
	if login != "password" {
		everyDevice(t, workstation, name)
	}
}

// everyDevice works with all devices on the network, which are the one that was
// provisioned. Many devices are not asked for passwords.
func everyDevice(t *testing.T, w *stage.Workstation, name string) {
	t.Helper()
	out, err := w.Run("--no-input", "provision-pelion", "boards", "updates", "--all", "--accept-new-host-key")
	if err != nil || !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+` \(.*\): provisioned already$`).MatchString(out) {
		t.Errorf("provision-pelion --all: %v, said %q", err, out)
	}
	out, err = w.Run("--no-input", "-o", "json", "get-pelion-status", "--all")
	if err != nil || !strings.Contains(out, `"connected": 1`) {
		t.Errorf("get-pelion-status --all: %v, said %q", err, out)
	}
}

// discover finds the board with mbl-cli and returns its address, which must be
// a link-local one with a zone.
func discover(t *testing.T, w *stage.Workstation, name string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^\d+: ` + regexp.QuoteMeta(name) + `: (\S+)$`)
	var found string
	check(t, stage.Until(func() error {
		out, err := w.Run("list")
		match := line.FindStringSubmatch(out)
		if match == nil {
			return fmt.Errorf("%s is not listed: %q %w", name, out, err)
		}
		found = match[1]
		return nil
	}))
	address, err := netip.ParseAddr(found)
	if err != nil || !address.IsLinkLocalUnicast() || address.Zone() == "" {
		t.Fatalf("found %q, want a link-local IPv6 address with its zone", found)
	}
	return found
}

func registered(w *stage.Workstation) error {
	out, err := w.Run("device", "list")
	if err == nil && !regexp.MustCompile(`\bregistered\b`).MatchString(out) {
		err = fmt.Errorf("no device is registered: %q", out)
	}
	return err
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// find is the path of one of our programs.
func find(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	check(t, err)
	return path
}
