package cloud

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"unicode/utf8"
)

// Resources whose values a device tells in its registration's links.
const (
	pathSerialNumber = "/3/0/2"     // Device object: serial number
	pathVendorID     = "/10255/0/3" // device metadata object: vendor, 16 bytes
	pathClassID      = "/10255/0/4" // device metadata object: class, 16 bytes
)

// maxShortText bounds texts that a device says about itself.
const maxShortText = 64

// learn takes what the links say about a device into its directory entry, and
// tells whether anything was new. Attribute v of a link is the resource's
// value, opaque ones in base64.
func learn(device *Device, links []Link) bool {
	before := [...]string{device.VendorID, device.DeviceClass, device.SerialNumber}
	for _, link := range links {
		value, has := link.Attributes["v"]
		if !has {
			continue
		}
		switch link.Path {
		case pathSerialNumber:
			device.SerialNumber = shortText(value)
		case pathVendorID:
			device.VendorID = hexOf(value)
		case pathClassID:
			device.DeviceClass = hexOf(value)
		}
	}
	return before != [...]string{device.VendorID, device.DeviceClass, device.SerialNumber}
}

// shortText is a device's text if it can be shown and stored, else nothing.
func shortText(text string) string {
	if utf8.RuneCountInString(text) > maxShortText || !printable(text) {
		return ""
	}
	return text
}

// hexOf turns the base64 of a 16-byte id into hex, anything else to nothing.
func hexOf(value string) string {
	id, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(id) != 16 {
		return ""
	}
	return hex.EncodeToString(id)
}

// mergeLinks applies the links of a registration or its update: new ones are
// added, known ones replaced, those with attribute "d" removed. It takes as
// long as there are links, since a device may send thousands of them.
func mergeLinks(links, changes []Link) []Link {
	merged := slices.Clone(links)
	at := make(map[string]int, len(merged)+len(changes))
	for i, link := range merged {
		at[link.Path] = i
	}
	removed := map[int]bool{}
	for _, change := range changes {
		i, known := at[change.Path]
		if _, gone := change.Attributes["d"]; gone {
			if known {
				removed[i] = true
				delete(at, change.Path)
			}
			continue
		}
		if known {
			merged[i] = change
			continue
		}
		at[change.Path] = len(merged)
		merged = append(merged, change)
	}
	kept := merged[:0]
	for i, link := range merged {
		if !removed[i] {
			kept = append(kept, link)
		}
	}
	return kept
}
