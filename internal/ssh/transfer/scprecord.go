package transfer

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// What one message of the scp protocol is, by its first byte. There is no
// standard; this is what OpenSSH's scp.c, from BSD's rcp, sends and takes.
const (
	scpOK      = 0
	scpWarning = 1 // a line follows; the copy goes on without that file
	scpFatal   = 2 // a line follows, and the end
	scpFile    = 'C'
	scpFolder  = 'D'
	scpEnd     = 'E' // of a folder
	scpTimes   = 'T' // of what comes next
)

// longestRecord bounds a line: OpenSSH's own buffer.
const longestRecord = 16 << 10

// errRecord: what the device sends is not scp, or not what can come there.
var errRecord = errors.New("the device does not keep to the scp protocol")

// record is one message of the device's scp.
type record struct {
	kind  byte
	entry        // of a file or folder: a plain name, mode, size
	said  string // of a warning or a fatal error
}

// readRecord reads the next message. A device may send anything: a name that
// does not stay in its folder is ErrName, one with a line end ErrLineEnd, and
// all else that is not understood errRecord.
func readRecord(r *bufio.Reader) (record, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return record{}, err
	}
	switch kind {
	case scpOK:
		return record{}, nil
	case scpWarning, scpFatal:
		line, err := recordLine(r)
		return record{kind: kind, said: strings.TrimSpace(line)}, err
	case scpFile, scpFolder:
		return readEntry(r, kind)
	case scpEnd, scpTimes:
		_, err := recordLine(r)
		return record{kind: kind}, err
	default:
		return record{}, fmt.Errorf("%w: a message begins with %q", errRecord, kind)
	}
}

// recordLine reads up to a line end, which it drops.
func recordLine(r *bufio.Reader) (string, error) {
	var line strings.Builder
	for line.Len() < longestRecord {
		b, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		if b == '\n' {
			return line.String(), nil
		}
		line.WriteByte(b)
	}
	return "", fmt.Errorf("%w: a line does not end", errRecord)
}

// readEntry reads "0644 123 name".
func readEntry(r *bufio.Reader, kind byte) (record, error) {
	line, err := recordLine(r)
	if err != nil {
		return record{}, err
	}
	mode, rest, _ := strings.Cut(line, " ")
	size, name, found := strings.Cut(rest, " ")
	perm, modeErr := strconv.ParseUint(mode, 8, 12)
	length, sizeErr := strconv.ParseUint(size, 10, 63)
	if !found || len(mode) != 4 || modeErr != nil || sizeErr != nil {
		return record{}, fmt.Errorf("%w: %q", errRecord, line)
	}
	if strings.Contains(name, scpLineEnd) {
		return record{}, fmt.Errorf("%w: %q", ErrLineEnd, name)
	}
	if kind == scpFile {
		return record{kind: kind, entry: entry{name: name, mode: fs.FileMode(perm).Perm(), size: int64(length)}}, checkName(name)
	}
	return record{kind: kind, entry: entry{name: name, mode: fs.ModeDir | fs.FileMode(perm).Perm()}}, checkName(name)
}

// scpLineEnd is what OpenSSH writes for a line end in a name. A file cannot be
// asked for under it.
const scpLineEnd = `\^J`

func checkName(name string) error {
	if !plainName(name) {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	return nil
}
