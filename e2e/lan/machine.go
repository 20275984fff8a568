package lan

import (
	"fmt"
	"strings"
)

// Machine is one more machine of the network; the LAN takes it away.
type Machine struct{ space string }

// On is the command that runs another one on the machine.
func (m Machine) On() []string { return []string{"ip", "netns", "exec", m.space} }

// Workstation is the developer's machine.
func (l *LAN) Workstation() Machine { return Machine{l.workstation} }

// NewMachine makes a machine without cables.
func (l *LAN) NewMachine(name string) (Machine, error) {
	m := Machine{l.workstation + "-" + name}
	l.running = append(l.running, func() { _, _ = run("ip", "netns", "delete", m.space) })
	return m, commands(
		"ip netns add "+m.space,
		"ip -n "+m.space+" link set lo up",
		"ip netns exec "+m.space+" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.accept_dad=0",
	)
}

// End is an end of a cable: a network interface of a machine. Without an
// address (192.0.2.1/24) it only has the IPv6 link-local one.
type End struct {
	Machine
	Interface, Address string
}

// Connect lays a cable.
func Connect(a, b End) error {
	err := commands(fmt.Sprintf("ip link add %s netns %s type veth peer name %s netns %s", a.Interface, a.space, b.Interface, b.space))
	for _, end := range []End{a, b} {
		if err == nil && end.Address != "" {
			err = commands(fmt.Sprintf("ip -n %s address add %s dev %s", end.space, end.Address, end.Interface))
		}
		if err == nil {
			err = commands(fmt.Sprintf("ip -n %s link set %s up", end.space, end.Interface))
		}
	}
	return err
}

func commands(lines ...string) error {
	for _, line := range lines {
		if _, err := run(strings.Fields(line)...); err != nil {
			return err
		}
	}
	return nil
}

// Run runs a command on the machine.
func (m Machine) Run(command ...string) error {
	_, err := run(append(m.On(), command...)...)
	return err
}

// Output is what a command of this machine prints.
func Output(command ...string) (string, error) { return run(command...) }
