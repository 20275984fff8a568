package hostinfo

import (
	"encoding/hex"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Bearer is the kind of a network (OMA LwM2M 1.0 appendix E.5, resource 0).
type Bearer int64

// The bearers that can be told from what the kernel says.
const (
	LTE       Bearer = 6 // what modems speak today; the kernel does not say
	WLAN      Bearer = 21
	Bluetooth Bearer = 22
	IEEE802   Bearer = 23 // 802.15.4
	Ethernet  Bearer = 41 // and everything else with a cable, or without anything
)

// Network is how the machine reaches another one.
type Network struct {
	Interface string
	Bearer    Bearer
	Signal    int64 // dBm; 0: it has no radio, or does not say
	Addresses []netip.Addr
	Routers   []netip.Addr // the next hops of its default routes
}

// NetworkTo is the network over which the machine reaches peer. It is empty
// when there is none.
func (h Host) NetworkTo(peer netip.AddrPort) Network {
	local, ok := sourceFor(peer)
	if !ok {
		return Network{}
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return Network{}
	}
	for _, each := range interfaces {
		if addresses := addressesOf(each); slices.Contains(addresses, local) {
			return Network{
				Interface: each.Name,
				Bearer:    h.bearer(each.Name),
				Signal:    h.signal(each.Name),
				Addresses: addresses,
				Routers:   h.routers(each.Name),
			}
		}
	}
	return Network{}
}

// Bearers are those of all interfaces that are up, each once.
func (h Host) Bearers() []Bearer {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var found []Bearer
	for _, each := range interfaces {
		if each.Flags&net.FlagUp != 0 && each.Flags&net.FlagLoopback == 0 {
			found = append(found, h.bearer(each.Name))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// sourceFor is the address from which the kernel would send to peer. Nothing
// is sent.
func sourceFor(peer netip.AddrPort) (netip.Addr, bool) {
	if !peer.IsValid() {
		return netip.Addr{}, false
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(peer))
	if err != nil {
		return netip.Addr{}, false
	}
	defer conn.Close()
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	return local.Unmap().WithZone(""), true
}

func addressesOf(each net.Interface) []netip.Addr {
	networks, err := each.Addrs()
	if err != nil {
		return nil
	}
	var addresses []netip.Addr
	for _, network := range networks {
		if prefix, err := netip.ParsePrefix(network.String()); err == nil {
			addresses = append(addresses, prefix.Addr())
		}
	}
	return addresses
}

func (h Host) bearer(name string) Bearer {
	class := "sys/class/net/" + name
	if h.exists(class+"/wireless") || h.exists(class+"/phy80211") {
		return WLAN
	}
	switch h.keyed(class+"/uevent", "=")["DEVTYPE"] {
	case "wwan":
		return LTE
	case "bluetooth":
		return Bluetooth
	}
	// ARPHRD_IEEE802154, its monitor and 6LoWPAN (linux/if_arp.h).
	if lines := h.lines(class + "/type"); len(lines) > 0 && slices.Contains([]string{"804", "805", "825"}, lines[0]) {
		return IEEE802
	}
	return Ethernet
}

func (h Host) exists(path string) bool {
	_, err := os.Stat(h.path(path))
	return err == nil
}

// signal reads the level of /proc/net/wireless: "wlan0: 0000 54. -56. -256 …".
func (h Host) signal(name string) int64 {
	level, err := strconv.ParseFloat(field(h.keyed("proc/net/wireless", ":")[name], 2), 64)
	if err != nil || math.IsNaN(level) || level < -256 || level > 256 {
		return 0
	}
	return int64(level)
}

// routers reads the default routes from /proc/net/route (addresses as the
// processor keeps them, which is little-endian wherever this runs) and
// /proc/net/ipv6_route.
func (h Host) routers(name string) []netip.Addr {
	var routers []netip.Addr
	for _, line := range h.lines("proc/net/route") {
		if field(line, 0) == name && field(line, 1) == "00000000" && field(line, 7) == "00000000" {
			routers = appendRouter(routers, field(line, 2), true)
		}
	}
	zeros := strings.Repeat("0", 32)
	for _, line := range h.lines("proc/net/ipv6_route") {
		if field(line, 9) == name && field(line, 0) == zeros && field(line, 1) == "00" {
			routers = appendRouter(routers, field(line, 4), false)
		}
	}
	return routers
}

// appendRouter leaves out routes without a next hop.
func appendRouter(routers []netip.Addr, text string, reversed bool) []netip.Addr {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return routers
	}
	if reversed {
		slices.Reverse(raw)
	}
	router, ok := netip.AddrFromSlice(raw)
	if !ok || router.IsUnspecified() || slices.Contains(routers, router) {
		return routers
	}
	return append(routers, router)
}

// field is the nth word of a line, "" without one.
func field(line string, n int) string {
	words := strings.Fields(line)
	if n >= len(words) {
		return ""
	}
	return words[n]
}
