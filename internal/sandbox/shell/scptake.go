package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

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
