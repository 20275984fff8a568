//go:build linux

package lan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
)

// The addresses of a Home (RFC 5737). The router's own is one that it is given
// and loses, as by a provider.
const (
	CloudAddress = "198.51.100.1"
	firstAddress = "198.51.100.2"
)

// Home is a network of devices behind a router that translates their addresses,
// and a machine with the service on the other side. Whoever makes one closes it.
type Home struct {
	cloud, router, home string
	address             string // the router's own on the service's side
}

// NewHome makes the network. Every connection gets a random port at the router.
func NewHome() (*Home, error) {
	mark := rand.Uint32() // there may be others
	name := func(part string) string { return fmt.Sprintf("mbl-%s-%08x", part, mark) }
	h := &Home{cloud: name("cloud"), router: name("router"), home: name("home"), address: firstAddress}
	for _, line := range []string{
		"ip netns add CLOUD",
		"ip netns add ROUTER",
		"ip netns add HOME",
		"ip -n CLOUD link set lo up",
		"ip -n HOME link set lo up",
		"ip link add eth0 netns CLOUD type veth peer name wan netns ROUTER",
		"ip link add eth0 netns HOME type veth peer name lan netns ROUTER",
		"ip -n CLOUD address add " + CloudAddress + "/24 dev eth0",
		"ip -n ROUTER address add " + firstAddress + "/24 dev wan",
		"ip -n ROUTER address add 192.0.2.1/24 dev lan",
		"ip -n HOME address add 192.0.2.2/24 dev eth0",
		"ip -n CLOUD link set eth0 up",
		"ip -n ROUTER link set wan up",
		"ip -n ROUTER link set lan up",
		"ip -n HOME link set eth0 up",
		"ip -n HOME route add default via 192.0.2.1",
		"ip netns exec ROUTER sysctl -qw net.ipv4.ip_forward=1",
	} {
		line = strings.NewReplacer("CLOUD", h.cloud, "ROUTER", h.router, "HOME", h.home).Replace(line)
		if _, err := run(strings.Fields(line)...); err != nil {
			h.Close()
			return nil, err
		}
	}
	if err := h.filter(0); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Close takes the machines away. What runs on them has been stopped.
func (h *Home) Close() {
	for _, space := range []string{h.cloud, h.router, h.home} {
		_, _ = run("ip", "netns", "delete", space) // it may never have been made
	}
}

// OnCloud is the command that runs another one where the service is.
func (h *Home) OnCloud() []string { return []string{"ip", "netns", "exec", h.cloud} }

// OnHome is the command that runs another one where the devices are.
func (h *Home) OnHome() []string { return []string{"ip", "netns", "exec", h.home} }

// Dial connects from where the service is.
func (h *Home) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return in(h.cloud, func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, address) })
}

// Lose has the router lose so many datagrams in a hundred from now on, on their
// way out and in.
func (h *Home) Lose(percent int) error { return h.filter(percent) }

// filter is the router's whole set of rules.
func (h *Home) filter(loss int) error {
	lose := ""
	if loss > 0 {
		lose = fmt.Sprintf("meta l4proto udp numgen random mod 100 < %d drop", loss)
	}
	return h.nft(fmt.Sprintf(`flush ruleset
table ip home {
	chain translate {
		type nat hook postrouting priority srcnat;
		oifname "wan" masquerade fully-random
	}
	chain lose {
		type filter hook forward priority filter;
		%s
	}
}`, lose))
}

func (h *Home) nft(rules string) error {
	cmd := exec.Command("ip", "netns", "exec", h.router, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}

// Move gives the router another address and has it forget whom it translated:
// what it sends comes from there and from other ports, and what is sent to the
// old ones is lost.
func (h *Home) Move(address string) error {
	for _, line := range []string{
		"ip -n ROUTER address delete " + h.address + "/24 dev wan", // masquerade forgets with it
		"ip -n ROUTER address add " + address + "/24 dev wan",
	} {
		if _, err := run(strings.Fields(strings.ReplaceAll(line, "ROUTER", h.router))...); err != nil {
			return err
		}
	}
	h.address = address
	return nil
}
