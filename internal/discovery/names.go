package discovery

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// names are what nobody else on a link may be called.
type names struct {
	instance string // of the service, as people read it
	host     string // without a domain
}

// maxLabel is the length of one label of a name, in bytes (RFC 1035).
const maxLabel = 63

// nextInstance is the next name to try where the instance is somebody else's:
// "board", "board (2)", "board (3)" (RFC 6763 appendix D).
func nextInstance(name string) string {
	base, number := name, 1
	if at := strings.LastIndex(name, " ("); at > 0 && strings.HasSuffix(name, ")") {
		if n, err := strconv.Atoi(name[at+2 : len(name)-1]); err == nil && n > 1 {
			base, number = name[:at], n
		}
	}
	return withEnding(base, fmt.Sprintf(" (%d)", number+1))
}

// nextHost is the same for host names: "board", "board-2", "board-3".
func nextHost(name string) string {
	base, number := name, 1
	if at := strings.LastIndexByte(name, '-'); at > 0 {
		if n, err := strconv.Atoi(name[at+1:]); err == nil && n > 1 && n < 10000 {
			base, number = name[:at], n
		}
	}
	return withEnding(base, fmt.Sprintf("-%d", number+1))
}

func withEnding(base, ending string) string { return shortened(base, maxLabel-len(ending)) + ending }

// shortened cuts a name between two letters.
func shortened(name string, most int) string {
	if len(name) <= most {
		return name
	}
	for most > 0 && !utf8.RuneStart(name[most]) {
		most--
	}
	return name[:most]
}

// hostLabel makes a host name of any name: letters, digits and dashes.
func hostLabel(name string) string {
	name, _, _ = strings.Cut(name, ".")
	label := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		default:
			return '-'
		}
	}, name), "-")
	if label == "" || strings.EqualFold(label, "localhost") {
		return "mbl-device"
	}
	return shortened(label, maxLabel)
}
