package discovery

import (
	"net/netip"
	"slices"
)

// Device is one announced service instance.
type Device struct {
	Name string // the instance's name, as people read it
	Host string // the host name it runs on, such as "board.local"
	// Addresses are all its addresses, the easiest to reach first; link-local
	// IPv6 addresses carry their zone. None: the device said goodbye.
	Addresses []netip.Addr
	Port      uint16
	// Links are the network interfaces of this machine that it answered on:
	// one in each report of Browse.
	Links []string
}

// sighting is a name on a link: what is reported by itself.
type sighting struct{ name, link string }

func (d Device) sighting() sighting { return sighting{d.Name, d.Links[0]} }

// Equal tells whether nothing differs between two reports of a device.
func (d Device) Equal(other Device) bool {
	return d.Name == other.Name && d.Host == other.Host && d.Port == other.Port &&
		slices.Equal(d.Addresses, other.Addresses) && slices.Equal(d.Links, other.Links)
}

// SharesAddress tells whether two reports name one interface of one device.
// Where both have link-local IPv6 addresses these decide: they are made from
// what the hardware has for itself, while every board of some makes calls
// itself 192.168.7.2.
func (d Device) SharesAddress(other Device) bool {
	mine, theirs := linkLocal(d.Addresses), linkLocal(other.Addresses)
	if len(mine) == 0 || len(theirs) == 0 {
		mine, theirs = d.Addresses, other.Addresses
	}
	return slices.ContainsFunc(mine, func(a netip.Addr) bool {
		return slices.ContainsFunc(theirs, func(b netip.Addr) bool { return a.WithZone("") == b.WithZone("") })
	})
}

func linkLocal(addresses []netip.Addr) []netip.Addr {
	var found []netip.Addr
	for _, address := range addresses {
		if address.Is6() && address.IsLinkLocalUnicast() {
			found = append(found, address)
		}
	}
	return found
}

// Join makes one device of two reports of it.
func (d Device) Join(other Device) Device {
	joined := d
	joined.Links = slices.Clone(d.Links)
	addresses := slices.Clone(d.Addresses)
	for _, link := range other.Links {
		if !slices.Contains(joined.Links, link) {
			joined.Links = append(joined.Links, link)
		}
	}
	for _, address := range other.Addresses {
		if !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	joined.Addresses = sortedAddresses(addresses)
	return joined
}
