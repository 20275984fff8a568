package cli

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mbl/internal/discovery"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

// foundDevice is a device as it is listed, and remembered until it is selected.
type foundDevice struct {
	Name       string   `json:"name"`
	Host       string   `json:"host"`
	Address    string   `json:"address"` // the first of Addresses
	Addresses  []string `json:"addresses"`
	Interfaces []string `json:"interfaces"` // of this machine, that it answered on
}

func asFound(device discovery.Device) foundDevice {
	found := foundDevice{Name: device.Name, Host: device.Host, Interfaces: slices.Concat([]string{}, device.Links)}
	for _, address := range device.Addresses {
		found.Addresses = append(found.Addresses, deviceAddress(address, device.Port))
	}
	found.Address = found.Addresses[0]
	return found
}

// allFound are devices as they are listed. An address that several of them
// claim leads to one of them at most, so it comes last.
func allFound(devices []discovery.Device) []foundDevice {
	claims := map[netip.Addr]int{}
	for _, device := range devices {
		for _, address := range device.Addresses {
			claims[address]++
		}
	}
	var found []foundDevice
	for _, device := range devices {
		slices.SortStableFunc(device.Addresses, func(a, b netip.Addr) int { return min(claims[a], 2) - min(claims[b], 2) })
		found = append(found, asFound(device))
	}
	return found
}

// deviceAddress is how a device's address is written: with the port only if it
// is not the usual one.
func deviceAddress(address netip.Addr, port uint16) string {
	target := ssh.Target{Host: address.WithZone("").String(), Zone: address.Zone()}
	if port != ssh.DefaultPort {
		target.Port = port
	}
	return target.String()
}

func sortFound(devices []foundDevice) {
	slices.SortFunc(devices, func(a, b foundDevice) int {
		return strings.Compare(a.Address+" "+a.Name, b.Address+" "+b.Name)
	})
}

// goesBy tells how well a word means a device: its name is meant before its
// host name, and that before one of its addresses; 0 is not at all.
func (d foundDevice) goesBy(word string) int {
	host := strings.TrimSuffix(d.Host, ".local")
	switch {
	case d.Name == word:
		return 3
	case host != "" && strings.EqualFold(strings.TrimSuffix(strings.TrimSuffix(word, "."), ".local"), host):
		return 2
	case slices.Contains(d.Addresses, word):
		return 1
	}
	return 0
}

// meant are the numbers in the list, from 1, of the devices that a word means
// best.
func meant(devices []foundDevice, word string) []int {
	var numbers []int
	best := 1
	for i, device := range devices {
		switch rank := device.goesBy(word); {
		case rank > best:
			best, numbers = rank, []int{i + 1}
		case rank == best:
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// named are the numbers in the list, from 1, of the devices with a name.
func named(devices []foundDevice, name string) []int {
	var numbers []int
	for i, device := range devices {
		if device.Name == name {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// pick is the device of a list with the number, name, host name or address
// given; false if there is none. Several that share a name are an error.
func pick(devices []foundDevice, wanted string) (foundDevice, bool, error) {
	if number, err := strconv.Atoi(wanted); err == nil && number >= 1 && number <= len(devices) {
		return devices[number-1], true, nil
	}
	switch numbers := meant(devices, wanted); len(numbers) {
	case 0:
		return foundDevice{}, false, nil
	case 1:
		return devices[numbers[0]-1], true, nil
	default:
		return foundDevice{}, false, namesakes(devices, numbers, wanted)
	}
}

// namesakes says what to give in place of a name that several devices have.
func namesakes(devices []foundDevice, numbers []int, name string) error {
	var them []string
	for _, number := range numbers {
		them = append(them, oneLine(devices[number-1].Host)+" at "+devices[number-1].Address)
	}
	return usererr.Failure("%d devices go by the name %s: %s", len(numbers), oneLine(name), strings.Join(them, ", ")).
		WithHint("give the number that `mbl-cli list` shows, or the address")
}

// sameAs tells whether a device that answers is one that was listed: there it
// may have had a namesake.
func (d foundDevice) sameAs(listed foundDevice, namesakes bool) bool {
	if d.Name != listed.Name {
		return false
	}
	common := func(a, b []string) bool {
		return slices.ContainsFunc(a, func(one string) bool { return slices.Contains(b, one) })
	}
	return !namesakes || common(d.Interfaces, listed.Interfaces) || common(d.Addresses, listed.Addresses)
}
