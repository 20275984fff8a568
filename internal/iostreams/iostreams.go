// Package iostreams carries what a program gets from the operating system:
// arguments, standard streams, environment. Programs receive a System and
// never ask the os package, so a test can be their operating system.
package iostreams

import (
	"io"
	"os"

	"golang.org/x/term"
)

// System is one program's view of the operating system.
type System struct {
	Args   []string // without the program's name
	Name   string   // the name it was started under (base name)
	In     io.Reader
	Out    io.Writer // data
	Err    io.Writer // everything else
	InTTY  bool
	OutTTY bool
	ErrTTY bool
	Getenv func(string) string
}

// OS is the real operating system.
func OS() *System {
	return &System{
		Args:   os.Args[1:],
		Name:   baseName(os.Args[0]),
		In:     os.Stdin,
		Out:    os.Stdout,
		Err:    os.Stderr,
		InTTY:  isTerminal(os.Stdin),
		OutTTY: isTerminal(os.Stdout),
		ErrTTY: isTerminal(os.Stderr),
		Getenv: os.Getenv,
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func baseName(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if os.IsPathSeparator(path[i]) {
			return path[i+1:]
		}
	}
	return path
}
