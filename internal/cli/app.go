package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"text/tabwriter"
	"time"

	"mbl/internal/iostreams"
	"mbl/internal/usererr"
)

const (
	outputText = "text"
	outputJSON = "json"
)

// globalFlags are the flags every command understands.
type globalFlags struct {
	addresses      []string
	configHostname string
	apiURL         string
	caFile         string
	output         string
	insecureHTTP   bool
	verbose        bool
	quiet          bool
	noInput        bool
	version        bool
}

func (f *globalFlags) check() error {
	if f.output != outputText && f.output != outputJSON {
		return usererr.Usage("unknown output %q", f.output).WithHint("--output is text or json")
	}
	return nil
}

// app is one run of mbl-cli: the operating system it was given, its global
// flags, and what the commands share.
type app struct {
	sys     *iostreams.System
	out     *watchedWriter // sys.Out
	flags   globalFlags
	started bool // flags and arguments were right, the command runs

	patience time.Duration // with the service, for one answer; 0: as long as usual
}

func newApp(sys *iostreams.System) *app {
	own := *sys
	out := &watchedWriter{to: sys.Out}
	own.Out = out
	return &app{sys: &own, out: out}
}

// watchedWriter remembers why a write failed, for those who do not ask.
type watchedWriter struct {
	to  io.Writer
	err error
}

func (w *watchedWriter) Write(data []byte) (int, error) {
	n, err := w.to.Write(data)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

// home is the user's home folder.
func (a *app) home() (string, error) {
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if home := a.sys.Getenv(name); home != "" && filepath.IsAbs(home) {
			return home, nil
		}
	}
	return "", usererr.Failure("%w", errNoHome).WithHint("set HOME to an absolute path")
}

var errNoHome = errors.New("cannot tell which folder is your home")

// log is where details go: standard error with -v, nowhere without.
func (a *app) log() *slog.Logger {
	if !a.flags.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(a.sys.Err, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// print writes a command's result to standard output: v as JSON if that was
// asked for, else what text writes. Tabs in the text make columns.
func (a *app) print(v any, text func(w io.Writer)) error {
	if a.flags.output == outputJSON {
		encoder := json.NewEncoder(a.sys.Out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(v)
	}
	columns := tabwriter.NewWriter(a.sys.Out, 0, 8, 2, ' ', 0)
	text(columns)
	return columns.Flush()
}

// progress tells in one line on standard error what is going on, unless -q
// was given.
func (a *app) progress(format string, args ...any) {
	if a.flags.quiet {
		return
	}
	fmt.Fprintln(a.sys.Err, oneLine(fmt.Sprintf(format, args...)))
}

// warn tells in one line on standard error of something that will matter, also
// with -q.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintln(a.sys.Err, "warning: "+oneLine(fmt.Sprintf(format, args...)))
}

// interactive tells whether a person can be asked something.
func (a *app) interactive() bool {
	return a.sys.InTTY && a.sys.ErrTTY && !a.flags.noInput
}
