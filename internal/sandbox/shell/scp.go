package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// The scp protocol has no specification; this is what OpenSSH's scp.c does.
// Each side answers every line and file of the other with one byte: 0 goes on,
// 1 (with a line of text) is a warning, 2 (the same) ends it.
const (
	scpOK      = 0
	scpWarning = 1
	scpFatal   = 2
)

// maxScpLine bounds a line of the peer: a mode, a size and a file name.
const maxScpLine = 8 << 10

// scp is the far end of a copy: "scp -t TARGET" takes files, "scp -f FILE..."
// gives them.
func scp(_ context.Context, c *call) int {
	flags := c.flags()
	sink := flags.BoolP("to", "t", false, "")
	source := flags.BoolP("from", "f", false, "")
	recursive := flags.BoolP("recursive", "r", false, "")
	targetIsDir := flags.BoolP("directory", "d", false, "")
	times := flags.BoolP("preserve", "p", false, "")
	flags.BoolP("verbose", "v", false, "")
	flags.BoolP("quiet", "q", false, "")
	operands, ok := c.operands(flags, 1)
	if !ok {
		return statusUsage
	}
	peer := &scpPeer{call: c, input: bufio.NewReader(c.In), recursive: *recursive, times: *times}
	switch {
	case *sink && len(operands) == 1:
		return peer.take(c.path(operands[0]), *targetIsDir)
	case *source:
		return peer.give(operands)
	}
	return c.misused("a virtual device is only ever the far end of a copy")
}

// scpPeer is one end of the conversation with the scp that called.
type scpPeer struct {
	*call
	input     *bufio.Reader
	recursive bool
	times     bool
	failed    bool // a warning was sent or received
}

func (p *scpPeer) status() int {
	if p.failed {
		return 1
	}
	return 0
}

func (p *scpPeer) accept() error {
	_, err := p.Out.Write([]byte{scpOK})
	return err
}

// warn tells the other side what could not be done, and goes on.
func (p *scpPeer) warn(problem error) error {
	p.failed = true
	_, err := fmt.Fprintf(p.Out, "%cscp: %v\n", scpWarning, problem)
	return err
}

// line reads a line without its end.
func (p *scpPeer) line() (string, error) {
	var line []byte
	for {
		b, err := p.input.ReadByte()
		if err != nil {
			return "", err
		}
		if b == '\n' {
			return string(line), nil
		}
		if line = append(line, b); len(line) > maxScpLine {
			return "", errors.New("line too long")
		}
	}
}

// errRefused: the other side does not want this file, but goes on.
var errRefused = errors.New("the other side refused")

// answer reads the other side's verdict. errRefused is its warning; any other
// error ends the conversation.
func (p *scpPeer) answer() error {
	verdict, err := p.input.ReadByte()
	if err != nil {
		return err
	}
	if verdict == scpOK {
		return nil
	}
	text, err := p.line()
	if err != nil {
		return err
	}
	p.failed = true
	if verdict == scpFatal {
		return errors.New(text)
	}
	return errRefused
}

// scpHeader is a line that announces a file or a folder: "C0644 12 name".
type scpHeader struct {
	kind byte // 'C' or 'D'
	mode fs.FileMode
	size int64
	name string
}

func parseScpHeader(line string) (scpHeader, error) {
	fields := strings.SplitN(line, " ", 3)
	if len(fields) != 3 || len(fields[0]) < 2 {
		return scpHeader{}, fmt.Errorf("bad line %q", line)
	}
	mode, ok := octalMode(fields[0][1:])
	size, err := strconv.ParseInt(fields[1], 10, 64)
	if !ok || err != nil || size < 0 {
		return scpHeader{}, fmt.Errorf("bad line %q", line)
	}
	name := fields[2]
	if name == "" || name == "." || name == ".." || strings.ContainsRune(name, '/') {
		return scpHeader{}, fmt.Errorf("unexpected file name %q", name)
	}
	return scpHeader{kind: fields[0][0], mode: mode, size: size, name: name}, nil
}

// scpTimes are the times of the file that follows: "T<modified> 0 <accessed> 0".
type scpTimes struct{ modified, accessed time.Time }

func parseScpTimes(line string) (*scpTimes, error) {
	var modified, accessed, fraction int64
	if _, err := fmt.Sscanf(line, "T%d %d %d %d", &modified, &fraction, &accessed, &fraction); err != nil {
		return nil, fmt.Errorf("bad line %q", line)
	}
	return &scpTimes{modified: time.Unix(modified, 0), accessed: time.Unix(accessed, 0)}, nil
}
