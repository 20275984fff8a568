package shell

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

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
