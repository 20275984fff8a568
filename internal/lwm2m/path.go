package lwm2m

import (
	"fmt"
	"strconv"
	"strings"
)

// maxPathLevels: object, instance, resource, resource instance.
const maxPathLevels = 4

// Path names an object, instance, resource or resource instance, such as
// /3/0/0. The empty path is the root.
type Path []uint16

// ParsePath reads "/3/0/0"; the leading slash may be missing.
func ParsePath(text string) (Path, error) {
	trimmed := strings.TrimPrefix(text, "/")
	if trimmed == "" {
		return Path{}, nil
	}
	return PathOf(strings.Split(trimmed, "/"))
}

// PathOf makes a path of its segments, as CoAP carries them.
func PathOf(segments []string) (Path, error) {
	if len(segments) > maxPathLevels {
		return nil, fmt.Errorf("%w: path of %d levels", ErrMalformed, len(segments))
	}
	path := make(Path, 0, len(segments))
	for _, segment := range segments {
		id, err := strconv.ParseUint(segment, 10, 16)
		if err != nil || strconv.FormatUint(id, 10) != segment {
			return nil, fmt.Errorf("%w: %q is no id in a path", ErrMalformed, segment)
		}
		path = append(path, uint16(id))
	}
	return path, nil
}

// Segments are the path's ids as texts, as CoAP carries them.
func (p Path) Segments() []string {
	segments := make([]string, 0, len(p))
	for _, id := range p {
		segments = append(segments, strconv.Itoa(int(id)))
	}
	return segments
}

// String is the form with slashes, "/" for the root.
func (p Path) String() string { return "/" + strings.Join(p.Segments(), "/") }
