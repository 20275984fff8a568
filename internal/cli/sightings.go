package cli

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"mbl/internal/discovery"
	"mbl/internal/ssh"
)

// sightings makes devices of what is reported from each link. One name on two
// links is one device if it has the same address there, or shows the same SSH
// host key; else it is two devices.
type sightings struct {
	devices []*sighted
	unsure  []*sighted // one report each, until its host key is known
	// found is told of each device once; may be nil.
	found func(discovery.Device)
	// identify begins to find out a device's host key; noteKey is to be told.
	identify func(*sighted)
}

// sighted is a device and the reports of it.
type sighted struct {
	reports []discovery.Device // from one link each
	asked   bool               // for its host key
	waiting bool               // for the answer
	key     string             // fingerprint; empty: not known
}

// hostKey is what somebody asked for a host key has shown; empty if it cannot
// be had.
type hostKey struct {
	of          *sighted
	fingerprint string
}

// device is what the reports say together.
func (d *sighted) device() discovery.Device {
	whole := d.reports[0]
	for _, report := range d.reports[1:] {
		whole = whole.Join(report)
	}
	return whole
}

func (d *sighted) name() string { return d.reports[0].Name }

// from is the place among the reports of the one from the same link.
func (d *sighted) from(report discovery.Device) int {
	return slices.IndexFunc(d.reports, func(r discovery.Device) bool {
		return r.Name == report.Name && slices.Equal(r.Links, report.Links)
	})
}

func (d *sighted) sharesAddress(report discovery.Device) bool {
	return slices.ContainsFunc(d.reports, report.SharesAddress)
}

// all are the devices in the order they became known.
func (s *sightings) all() []discovery.Device {
	var devices []discovery.Device
	for _, d := range s.devices {
		devices = append(devices, d.device())
	}
	return devices
}

// note takes a report in: a new device, what changed about one, or its goodbye.
func (s *sightings) note(report discovery.Device) {
	for _, known := range []*[]*sighted{&s.devices, &s.unsure} {
		for i, d := range *known {
			at := d.from(report)
			if at < 0 {
				continue
			}
			d.reports[at] = report
			if len(report.Addresses) == 0 {
				d.reports = slices.Delete(d.reports, at, at+1)
			}
			if len(d.reports) == 0 {
				*known = slices.Delete(*known, i, i+1)
			}
			s.decide()
			return
		}
	}
	if len(report.Addresses) > 0 {
		s.unsure = append(s.unsure, &sighted{reports: []discovery.Device{report}})
		s.decide()
	}
}

// noteKey takes in what identify found out.
func (s *sightings) noteKey(key hostKey) {
	key.of.waiting, key.of.key = false, key.fingerprint
	s.decide()
}

// decide gives reports that nothing was known of to their devices.
func (s *sightings) decide() {
	waiting := s.unsure
	s.unsure = nil
	for _, one := range waiting {
		if !s.place(one) {
			s.unsure = append(s.unsure, one)
		}
	}
}

// place is false while it is not known whose report it is.
func (s *sightings) place(one *sighted) bool {
	rivals := s.called(one.name())
	for _, rival := range rivals {
		if rival.sharesAddress(one.reports[0]) || one.key != "" && one.key == rival.key {
			rival.reports = append(rival.reports, one.reports...)
			return true
		}
	}
	if len(rivals) > 0 && s.waits(append(rivals, one)) {
		return false
	}
	s.devices = append(s.devices, one)
	if s.found != nil {
		s.found(one.device())
	}
	return true
}

func (s *sightings) called(name string) []*sighted {
	var found []*sighted
	for _, d := range s.devices {
		if d.name() == name {
			found = append(found, d)
		}
	}
	return found
}

// waits tells whether host keys are still to come, and sees to it that they do.
func (s *sightings) waits(all []*sighted) bool {
	waits := false
	for _, d := range all {
		if !d.asked {
			d.asked, d.waiting = true, true
			s.identify(d)
		}
		waits = waits || d.waiting
	}
	return waits
}

// pending tells whether a device may become known without another report.
func (s *sightings) pending() bool { return len(s.unsure) > 0 }

// hostKeyBehind is the host key a device shows on the link of a report; empty
// if none can be had.
func hostKeyBehind(ctx context.Context, report discovery.Device) string {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	for _, address := range linkLocalFirst(report.Addresses) {
		key, err := ssh.ShowHostKey(ctx, net.JoinHostPort(address.String(), strconv.Itoa(int(report.Port))))
		if err == nil {
			return key
		}
	}
	return ""
}

// linkLocalFirst: they lead to the link they were heard on, whoever else has
// the other addresses.
func linkLocalFirst(addresses []netip.Addr) []netip.Addr {
	sorted := slices.Clone(addresses)
	slices.SortStableFunc(sorted, func(a, b netip.Addr) int {
		switch {
		case (a.Zone() != "") == (b.Zone() != ""):
			return 0
		case a.Zone() != "":
			return -1
		}
		return 1
	})
	return sorted
}
