// Package lan makes two machines out of name spaces with a cable between them:
// a developer's workstation and a board with other people's SSH server and
// mDNS responder. Tests and benchmarks over a real network use it; it needs
// root.
package lan

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mbl/e2e/stage"
)

// The ends of the cable (RFC 5737 documentation addresses). Each has an IPv6
// link-local address too, as any cable has.
const (
	WorkstationAddress = "192.0.2.1"
	BoardAddress       = "192.0.2.2"
)

// LAN is the two machines and the cable. Whoever makes one closes it.
type LAN struct {
	dir, workstation, board string
	running                 []func() // what Close ends, last first
}

// New makes the network; dir is where the machines keep their files.
func New(dir string) (*LAN, error) {
	l := &LAN{
		dir:         dir,
		workstation: fmt.Sprintf("mbl-ws-%d", os.Getpid()),
		board:       fmt.Sprintf("mbl-board-%d", os.Getpid()),
	}
	for _, line := range []string{
		"ip netns add WS",
		"ip netns add BOARD",
		"ip -n WS link set lo up",
		"ip -n BOARD link set lo up",
		// No waiting for duplicate addresses: there are two machines.
		"ip netns exec WS sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.accept_dad=0",
		"ip netns exec BOARD sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.accept_dad=0",
		"ip link add ws0 netns WS type veth peer name eth0 netns BOARD",
		"ip -n WS address add " + WorkstationAddress + "/24 dev ws0",
		"ip -n BOARD address add " + BoardAddress + "/24 dev eth0",
		"ip -n WS link set ws0 up",
		"ip -n BOARD link set eth0 up",
	} {
		line = strings.NewReplacer("WS", l.workstation, "BOARD", l.board).Replace(line)
		if _, err := run(strings.Fields(line)...); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

// Close stops what runs on the machines and takes them away.
func (l *LAN) Close() {
	for len(l.running) > 0 {
		last := len(l.running) - 1
		l.running[last]()
		l.running = l.running[:last]
	}
	for _, space := range []string{l.workstation, l.board} {
		_, _ = run("ip", "netns", "delete", space) // it may never have been made
	}
}

// OnWorkstation is the command that runs another one on the workstation.
func (l *LAN) OnWorkstation() []string { return []string{"ip", "netns", "exec", l.workstation} }

// OnBoard is the command that runs another one at the board's end of the cable.
func (l *LAN) OnBoard() []string { return []string{"ip", "netns", "exec", l.board} }

// StartService runs a service on the workstation that the board can reach, and
// makes a developer's home that is ready to provision (stage.Prepare).
func (l *LAN) StartService(cloud, cli string) (*stage.Service, *stage.Workstation, error) {
	service, err := stage.StartService(cloud, filepath.Join(l.dir, "data"), stage.Options{Dir: l.dir, Under: l.OnWorkstation()},
		"--http", "127.0.0.1:0", "--download", "127.0.0.1:0", "--host", WorkstationAddress,
		"--bootstrap", WorkstationAddress+":0", "--lwm2m", WorkstationAddress+":0")
	if err != nil {
		return nil, nil, err
	}
	l.running = append(l.running, func() { service.Stop() })
	key, err := service.NewKey("lan", "administrators")
	if err != nil {
		return nil, nil, err
	}
	workstation, err := stage.NewWorkstation(cli, l.dir, l.OnWorkstation()...)
	if err != nil {
		return nil, nil, err
	}
	return service, workstation, workstation.Prepare(service, key)
}

// run runs a command of this machine and returns its output.
func run(command ...string) (string, error) {
	out, err := exec.Command(command[0], command[1:]...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
