package transfer

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// extents finds the data of a file (lseek(2), SEEK_DATA). A file system that
// cannot tell has no holes.
func extents(f *os.File, size int64) []extent {
	var found []extent
	for at := int64(0); at < size; {
		from, err := f.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // nothing but a hole up to the end
		}
		if err != nil {
			return []extent{{0, size}}
		}
		to, err := f.Seek(from, unix.SEEK_HOLE)
		if err != nil || to <= from {
			return []extent{{0, size}}
		}
		found = append(found, extent{from, min(to, size)})
		at = to
	}
	return worthwhile(found)
}
