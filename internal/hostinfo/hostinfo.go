// Package hostinfo reads what the device's objects tell of the machine: its
// memory, the version of its system, its network. It changes nothing.
// internal/device is its only caller.
package hostinfo

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Host is the machine whose files lie under Root; "" is this one.
type Host struct{ Root string }

// Memory is the machine's memory in KiB.
type Memory struct {
	Total int64
	Free  int64 // what programs can still have (MemAvailable)
}

// Memory reads /proc/meminfo; what is not there is 0.
func (h Host) Memory() Memory {
	values := h.keyed("proc/meminfo", ":")
	return Memory{Total: kibibytes(values["MemTotal"]), Free: kibibytes(values["MemAvailable"])}
}

func kibibytes(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(text, "kB")), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// SystemVersion is the version of the running system image (os-release(5)):
// that of the image, else of the distribution, else of the build. It is "" if
// the system has none.
func (h Host) SystemVersion() string {
	for _, file := range []string{"etc/os-release", "usr/lib/os-release"} {
		values := h.keyed(file, "=")
		for _, key := range []string{"IMAGE_VERSION", "VERSION_ID", "BUILD_ID"} {
			if version := strings.Trim(values[key], `"'`); version != "" {
				return version
			}
		}
	}
	return ""
}

// Timezone is the name in the IANA database, such as Europe/Berlin, or "".
func (h Host) Timezone() string {
	target, err := os.Readlink(h.path("etc/localtime"))
	if err != nil {
		return ""
	}
	_, zone, _ := strings.Cut(target, "/zoneinfo/")
	return zone
}

// keyed reads lines of a key and a value with a separator between them.
func (h Host) keyed(file, separator string) map[string]string {
	values := map[string]string{}
	for _, line := range h.lines(file) {
		if key, value, ok := strings.Cut(line, separator); ok {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return values
}

// lines are those of a small file; none if it cannot be read.
func (h Host) lines(file string) []string {
	content, err := os.ReadFile(h.path(file))
	if err != nil {
		return nil
	}
	var lines []string
	for scanner := bufio.NewScanner(bytes.NewReader(content)); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	return lines
}

func (h Host) path(file string) string { return filepath.Join(h.Root, "/", file) }
