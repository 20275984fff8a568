package enroll

import (
	"fmt"
	"slices"
	"strings"
)

// manifest is what enroll has put on a board, kept there as text: a line each,
// with a word, a path and, of files the SHA-256, of links the target.
//
//	mbl-enroll 1
//	init systemd
//	dir /opt/arm
//	file /opt/arm/mbl-device 0f…
//	link /opt/arm/pelion-provisioning-util mbl-device
type manifest struct {
	init  Init
	dirs  []string // made by enroll, parents first
	items []item   // path, and sum or target
}

const manifestHead = "mbl-enroll 1"

func (m *manifest) text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\ninit %s\n", manifestHead, m.init)
	for _, dir := range m.dirs {
		fmt.Fprintf(&text, "dir %s\n", dir)
	}
	for _, i := range m.items {
		if i.isLink() {
			fmt.Fprintf(&text, "link %s %s\n", i.path, i.target)
		} else {
			fmt.Fprintf(&text, "file %s %s\n", i.path, i.sum)
		}
	}
	return text.String()
}

// parseManifest reads a manifest. It came from the board, and paths in it will
// be removed by root: only those that enroll makes are accepted.
func parseManifest(text string) (*manifest, error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if lines[0] != manifestHead {
		return nil, &BoardError{ErrManifest, lines[0]}
	}
	m := &manifest{}
	for _, line := range lines[1:] {
		if !m.read(strings.Fields(line)) {
			return nil, &BoardError{ErrManifest, line}
		}
	}
	return m, nil
}

func (m *manifest) read(words []string) (understood bool) {
	switch {
	case len(words) == 2 && words[0] == "init":
		m.init = Init(words[1])
		return m.init == Systemd || m.init == SysV
	case len(words) == 2 && words[0] == "dir":
		m.dirs = append(m.dirs, words[1])
		return slices.Contains(ownDirs(), words[1])
	case len(words) == 3 && words[0] == "file":
		m.items = append(m.items, item{path: words[1], sum: words[2]})
		return isKnown(words[1])
	case len(words) == 3 && words[0] == "link":
		m.items = append(m.items, item{path: words[1], target: words[2]})
		return isKnown(words[1])
	default:
		return false
	}
}

// owns tells whether enroll put something at this path; there is none on a
// board where it never was.
func (m *manifest) owns(path string) bool {
	return m != nil && slices.ContainsFunc(m.items, func(i item) bool { return i.path == path })
}
