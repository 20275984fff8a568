package transfer

import (
	"bytes"
	"os"
)

// extent is a run of bytes of a file that holds data; what lies between two
// is a hole and reads as zeros.
type extent struct{ from, to int64 }

// smallestHole is how large a hole must be to be left out: each costs a few
// exchanges with the device.
const smallestHole = 1 << 20

// worthwhile joins extents that only a small hole parts.
func worthwhile(extents []extent) []extent {
	var joined []extent
	for _, e := range extents {
		if last := len(joined) - 1; last >= 0 && e.from-joined[last].to < smallestHole {
			joined[last].to = e.to
			continue
		}
		joined = append(joined, e)
	}
	return joined
}

// after drops what lies before an offset.
func after(extents []extent, offset int64) []extent {
	var rest []extent
	for _, e := range extents {
		if e.to <= offset {
			continue
		}
		rest = append(rest, extent{max(e.from, offset), e.to})
	}
	return rest
}

// holeWriter writes to a file and leaves holes where whole writes are zeros.
// finish gives the file its length.
type holeWriter struct {
	file  *os.File
	at    int64
	zeros []byte
}

func newHoleWriter(file *os.File, at int64) *holeWriter {
	return &holeWriter{file: file, at: at, zeros: make([]byte, 128<<10)}
}

// Write implements io.Writer.
func (w *holeWriter) Write(p []byte) (int, error) {
	if len(p) >= 4096 && len(p) <= len(w.zeros) && bytes.Equal(p, w.zeros[:len(p)]) {
		w.at += int64(len(p))
		return len(p), nil
	}
	n, err := w.file.WriteAt(p, w.at)
	w.at += int64(n)
	return n, err
}

func (w *holeWriter) finish() error { return w.file.Truncate(w.at) }
