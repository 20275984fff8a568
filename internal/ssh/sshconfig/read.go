package sshconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Limits for files that somebody else may have made.
const (
	maxFileSize     = 4 << 20
	maxIncludeDepth = 16
)

// Query says whose connection to which host the lines are chosen for.
type Query struct {
	Host        string // as typed
	User        string // as typed; may be empty
	DefaultUser string // where neither the person nor a line says who
	LocalUser   string
	Home        string
}

// Source is a configuration file. A missing one is empty.
type Source struct {
	File   string
	System bool // included files lie in /etc/ssh, not in ~/.ssh
}

// Setting is one line that applies. There is at least one argument.
type Setting struct {
	Keyword string   // in lower case
	Args    []string // without quotation marks; the rest of the line where it is a command
	File    string
	Line    int
}

// Place is where the line stands.
func (s Setting) Place() string {
	if s.File == "" {
		return "ssh -G"
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// BeyondError is a line that only ssh itself can decide.
type BeyondError struct {
	File string
	Line int
	What string // for example `Match exec`
}

func (e *BeyondError) Error() string {
	return fmt.Sprintf("%s:%d: only ssh itself can decide %s", e.File, e.Line, e.What)
}

// Read lists the lines that apply, in their order; where a keyword takes one
// value, the first counts. The error is a *BeyondError, or names the file and
// the line that cannot be read.
func Read(query Query, sources ...Source) ([]Setting, error) {
	r := &reader{query: query}
	for _, source := range sources {
		r.system, r.active = source.System, true
		if err := r.file(source.File, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return r.found, nil
}

type reader struct {
	query  Query
	system bool
	found  []Setting
	where  Setting // File and Line of the line being read

	active bool // the lines here apply
}

func (r *reader) beyond(what string) error {
	return &BeyondError{File: r.where.File, Line: r.where.Line, What: what}
}

func (r *reader) file(name string, depth int) error {
	content, err := readFile(name)
	if err != nil {
		return err
	}
	number := 0
	for line := range strings.Lines(content) {
		number++
		r.where = Setting{File: name, Line: number}
		if err := r.line(line, depth); err != nil {
			return placed(err, name, number)
		}
	}
	return nil
}

// placedError keeps the innermost place of an error.
type placedError struct{ error }

func (e placedError) Unwrap() error { return e.error }

func placed(err error, file string, line int) error {
	var already placedError
	var beyond *BeyondError
	if errors.As(err, &already) || errors.As(err, &beyond) {
		return err
	}
	return placedError{fmt.Errorf("%s:%d: %w", file, line, err)}
}

func readFile(name string) (string, error) {
	info, err := os.Stat(name) // before it is opened: a pipe would block
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", name)
	}
	// It may name commands to run.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s can be written by others (mode %04o); `chmod go-w` mends it", name, info.Mode().Perm())
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return "", err
	}
	if len(content) > maxFileSize {
		return "", fmt.Errorf("%s is too large", name)
	}
	return string(content), nil
}

func (r *reader) line(line string, depth int) error {
	keyword, args, err := splitLine(line)
	if err != nil || keyword == "" {
		return err
	}
	switch keyword {
	case "host":
		return r.startHost(args)
	case "match":
		return r.startMatch(args)
	}
	if !r.active {
		return nil
	}
	if len(args) == 0 || args[0] == "" {
		return fmt.Errorf("%s has no value", keyword)
	}
	if keyword == "include" {
		return r.include(args, depth)
	}
	if keyword == "canonicalizehostname" && !strings.EqualFold(args[0], "no") {
		return r.beyond("CanonicalizeHostname")
	}
	r.found = append(r.found, Setting{Keyword: keyword, Args: args, File: r.where.File, Line: r.where.Line})
	return nil
}

func (r *reader) startHost(args []string) error {
	if len(args) == 0 {
		return errors.New("a Host line needs a pattern")
	}
	r.active = MatchList(args, r.query.Host)
	return nil
}

func (r *reader) startMatch(args []string) error {
	active, err := r.match(args)
	r.active = active
	return err
}

// include reads files as if they stood here; what Host lines they have ends
// with them.
func (r *reader) include(names []string, depth int) error {
	if depth >= maxIncludeDepth {
		return errors.New("the Include lines go too deep, or in a circle")
	}
	where := r.where
	for _, name := range names {
		if strings.ContainsAny(name, "%$") {
			return r.beyond("Include with tokens")
		}
		files, err := filepath.Glob(r.includePath(name))
		if err != nil {
			return err
		}
		for _, file := range files {
			active := r.active
			if err := r.file(file, depth+1); err != nil {
				return err
			}
			r.active, r.where = active, where
		}
	}
	return nil
}

func (r *reader) includePath(name string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		return filepath.Join(r.query.Home, rest)
	}
	switch {
	case filepath.IsAbs(name):
		return name
	case r.system:
		return filepath.Join("/etc/ssh", name)
	default:
		return filepath.Join(r.query.Home, ".ssh", name)
	}
}
