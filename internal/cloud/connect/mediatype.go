package connect

import (
	"strconv"
	"strings"
)

// mediaTypes are the formats devices use (CoAP Content-Formats registry, RFC
// 7252 section 12.3; OMA LwM2M 1.0 section 6.4).
func mediaTypes() map[string]uint16 {
	return map[string]uint16{
		"text/plain":                     0,
		"application/link-format":        40,
		"application/xml":                41,
		"application/octet-stream":       42,
		"application/exi":                47,
		"application/json":               50,
		"application/cbor":               60,
		"application/senml+json":         110,
		"application/senml+cbor":         112,
		"application/vnd.oma.lwm2m+tlv":  11542,
		"application/vnd.oma.lwm2m+json": 11543,
	}
}

// oldTLV is what clients from before LwM2M 1.0 call TLV.
const oldTLV = 99

// olderMediaTypes are names that callers may use and that are never answered:
// those of the same formats before LwM2M 1.0.
func olderMediaTypes() map[string]uint16 {
	return map[string]uint16{
		"application/vnd.oma.lwm2m+text": 0,
		"application/vnd.oma.lwm2m+opaq": 42,
		"application/nanoservice-tlv":    oldTLV,
	}
}

// mediaType is a format's name; one without a name is a number.
func mediaType(format uint16) string {
	if format == oldTLV {
		return "application/vnd.oma.lwm2m+tlv"
	}
	for name, number := range mediaTypes() {
		if number == format {
			return name
		}
	}
	return strconv.Itoa(int(format))
}

// contentFormat is the format of a media type: nil for none given, an error
// for one that devices do not know. Parameters (charset) do not matter.
func contentFormat(name string) (*uint16, error) {
	name, _, _ = strings.Cut(name, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" || name == "*/*" {
		return nil, nil
	}
	format, known := mediaTypes()[name]
	if !known {
		format, known = olderMediaTypes()[name]
	}
	if !known {
		number, err := strconv.ParseUint(name, 10, 16)
		if err != nil {
			return nil, ErrMediaType
		}
		format = uint16(number)
	}
	return &format, nil
}
