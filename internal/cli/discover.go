package cli

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mbl/internal/discovery"
	"mbl/internal/ssh"
	"mbl/internal/usererr"
)

const (
	// defaultSearch is how long to look when nothing answers, as long as the
	// original did.
	defaultSearch = 30 * time.Second
	// defaultAnswers is how long devices have once one of them did answer; a
	// third of that must have passed without anything new.
	defaultAnswers = 3 * time.Second
	// lastAddresses is how long a device has to tell all its addresses.
	lastAddresses = 300 * time.Millisecond
)

// search looks for devices on the network.
type search struct {
	browse  func(context.Context, discovery.Config) (<-chan discovery.Device, error)
	config  discovery.Config
	timeout time.Duration // when nothing is found
	answers time.Duration // how long devices have to answer once one of them did
	// found is told of each device once, as it answers; may be nil.
	found func(discovery.Device)
	// enough ends the search early when it knows the device; may be nil.
	enough func(discovery.Device) bool
}

func newSearch() search {
	return search{browse: discovery.Browse, timeout: defaultSearch, answers: defaultAnswers}
}

// run returns the devices in the order they answered. It ends when no more are
// to be expected.
func (s search) run(ctx context.Context) ([]discovery.Device, error) {
	if s.timeout <= 0 {
		return nil, usererr.Usage("--timeout is %v: that is no time to answer", s.timeout)
	}
	searching, stop := context.WithCancel(ctx)
	defer stop()
	reports, err := s.browse(searching, s.config)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	over := time.NewTimer(s.timeout)
	defer over.Stop()
	var devices []discovery.Device
	ending := false
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-over.C:
			stop()
		case report, open := <-reports:
			if !open {
				return devices, ctx.Err()
			}
			devices = s.note(devices, report)
			switch passed := time.Since(start); {
			case ending || len(devices) == 0:
			case s.enough != nil && s.enough(report):
				ending = true
				over.Reset(lastAddresses)
			default:
				over.Reset(min(s.timeout, max(s.answers, s.answers/3+passed)) - passed)
			}
		}
	}
}

// note takes a report in: a new device, what changed about one, or its goodbye.
func (s search) note(devices []discovery.Device, report discovery.Device) []discovery.Device {
	known := slices.IndexFunc(devices, func(d discovery.Device) bool { return d.Name == report.Name })
	switch {
	case known >= 0 && len(report.Addresses) == 0:
		return slices.Delete(devices, known, known+1)
	case known >= 0:
		devices[known] = report
	case len(report.Addresses) > 0:
		devices = append(devices, report)
		if s.found != nil {
			s.found(report)
		}
	}
	return devices
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

// foundDevice is a device as it is listed, and remembered until it is selected.
type foundDevice struct {
	Name      string   `json:"name"`
	Host      string   `json:"host"`
	Address   string   `json:"address"` // the first of Addresses
	Addresses []string `json:"addresses"`
}

func asFound(device discovery.Device) foundDevice {
	found := foundDevice{Name: device.Name, Host: device.Host}
	for _, address := range device.Addresses {
		found.Addresses = append(found.Addresses, deviceAddress(address, device.Port))
	}
	found.Address = found.Addresses[0]
	return found
}

func sortFound(devices []foundDevice) {
	slices.SortFunc(devices, func(a, b foundDevice) int {
		return strings.Compare(a.Address+" "+a.Name, b.Address+" "+b.Name)
	})
}
