package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
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

// take receives files into target.
func (p *scpPeer) take(target string, mustBeDir bool) int {
	info, err := p.tree().Stat(target)
	isDir := err == nil && info.IsDir()
	if mustBeDir && !isDir {
		p.fatal(fmt.Errorf("%s: not a directory", target))
		return 1
	}
	if err := p.accept(); err != nil {
		return 1
	}
	if err := p.takeInto(target, isDir); err != nil && !errors.Is(err, io.EOF) {
		p.fatal(err)
		return 1
	}
	return p.status()
}

func (p *scpPeer) fatal(problem error) {
	fmt.Fprintf(p.Out, "%cscp: %v\n", scpFatal, problem)
}

// takeInto receives until the end of the folder or of the conversation (io.EOF).
func (p *scpPeer) takeInto(target string, isDir bool) error {
	var times *scpTimes
	for {
		line, err := p.line()
		if err != nil {
			return err
		}
		if line == "" {
			return errors.New("empty line")
		}
		switch line[0] {
		case scpWarning, scpFatal:
			p.failed = true
			continue
		case 'E':
			return p.accept()
		case 'T':
			if times, err = parseScpTimes(line); err != nil {
				return err
			}
			if err := p.accept(); err != nil {
				return err
			}
			continue
		}
		if err := p.takeOne(line, target, isDir, times); err != nil {
			return err
		}
		times = nil
	}
}

func (p *scpPeer) takeOne(line, target string, isDir bool, times *scpTimes) error {
	header, err := parseScpHeader(line)
	if err != nil {
		return err
	}
	where := target
	if isDir {
		where = path.Join(target, header.name)
	}
	switch header.kind {
	case 'C':
		err = p.takeFile(header, where)
	case 'D':
		err = p.takeFolder(header, where)
	default:
		return fmt.Errorf("bad line %q", line)
	}
	if err != nil || times == nil || !p.times {
		return err
	}
	return p.tree().Chtimes(where, times.accessed, times.modified)
}

func (p *scpPeer) takeFolder(header scpHeader, where string) error {
	if !p.recursive {
		return errors.New("received a folder without -r")
	}
	mode := header.mode
	if !p.times {
		mode &^= p.in.currentUmask()
	}
	err := p.tree().Mkdir(where, mode)
	if info, statErr := p.tree().Stat(where); err != nil && (statErr != nil || !info.IsDir()) {
		return err
	}
	if err := p.accept(); err != nil {
		return err
	}
	return p.takeInto(where, true)
}

func (p *scpPeer) takeFile(header scpHeader, where string) error {
	mode := header.mode
	if !p.times {
		mode &^= p.in.currentUmask()
	}
	f, err := p.tree().OpenFile(where, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return p.warn(err) // the other side skips this file
	}
	defer f.Close()
	if err := p.accept(); err != nil {
		return err
	}
	if _, err := io.CopyN(f, p.input, header.size); err != nil {
		return err
	}
	if err := p.answer(); err != nil && !errors.Is(err, errRefused) {
		return err
	}
	if p.times {
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	return p.accept()
}

// give sends the named files.
func (p *scpPeer) give(names []string) int {
	if err := p.answer(); err != nil {
		return 1
	}
	for _, name := range names {
		if err := p.giveOne(p.path(name)); err != nil {
			return 1
		}
	}
	return p.status()
}

// giveOne sends a file or a folder. What cannot be read or is not wanted is
// left out; an error means that the conversation is over.
func (p *scpPeer) giveOne(where string) error {
	if err := p.giveAny(where); !errors.Is(err, errRefused) {
		return err
	}
	return nil
}

func (p *scpPeer) giveAny(where string) error {
	info, err := p.tree().Stat(where)
	if err != nil {
		return p.warn(err)
	}
	if info.IsDir() {
		if !p.recursive {
			return p.warn(fmt.Errorf("%s: not a regular file", where))
		}
		return p.giveFolder(where, info)
	}
	if !info.Mode().IsRegular() {
		return p.warn(fmt.Errorf("%s: not a regular file", where))
	}
	return p.giveFile(where, info)
}

func (p *scpPeer) giveFile(where string, info fs.FileInfo) error {
	f, err := p.tree().OpenFile(where, os.O_RDONLY, 0)
	if err != nil {
		return p.warn(err)
	}
	defer f.Close()
	if err := p.giveTimes(info); err != nil {
		return err
	}
	if err := p.say("C%04o %d %s\n", info.Mode().Perm(), info.Size(), path.Base(where)); err != nil {
		return err
	}
	if _, err := io.CopyN(p.Out, f, info.Size()); err != nil {
		return err
	}
	return p.say("%c", scpOK)
}

func (p *scpPeer) giveFolder(where string, info fs.FileInfo) error {
	entries, err := p.tree().ReadDir(where)
	if err != nil {
		return p.warn(err)
	}
	if err := p.giveTimes(info); err != nil {
		return err
	}
	if err := p.say("D%04o 0 %s\n", info.Mode().Perm(), path.Base(where)); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := p.giveOne(path.Join(where, entry.Name())); err != nil {
			return err
		}
	}
	return p.say("E\n")
}

func (p *scpPeer) giveTimes(info fs.FileInfo) error {
	if !p.times {
		return nil
	}
	seconds := info.ModTime().Unix()
	return p.say("T%d 0 %d 0\n", seconds, seconds)
}

// say sends a line and waits for the answer.
func (p *scpPeer) say(format string, args ...any) error {
	if _, err := fmt.Fprintf(p.Out, format, args...); err != nil {
		return err
	}
	return p.answer()
}
