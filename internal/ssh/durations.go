package ssh

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseTime reads a time of sshd_config(5), "TIME FORMATS": seconds, or
// numbers with units such as 1h30m.
func parseTime(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	var total time.Duration
	rest := text
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		number, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no time", text)
		}
		unit := time.Second
		rest = rest[digits:]
		if rest != "" {
			var known bool
			if unit, known = units[rest[0]|0x20]; !known {
				return 0, fmt.Errorf("%q is no time", text)
			}
			rest = rest[1:]
		}
		if time.Duration(number) > (math.MaxInt64-total)/unit {
			return 0, fmt.Errorf("%q is too long", text)
		}
		total += time.Duration(number) * unit
	}
	return total, nil
}
