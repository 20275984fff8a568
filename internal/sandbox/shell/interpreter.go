package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"mbl/internal/ssh/posixsh"
)

const (
	statusUsage     = 2
	statusCannotRun = 126
	statusNotFound  = 127
	statusHangup    = 128 + 1
)

// trapTime is how long traps may run after the connection is gone.
const trapTime = 10 * time.Second

// start is what an interpreter begins with.
type start struct {
	stdio  Stdio
	dir    string
	env    []string
	params []string // as given to "set"; nil for none
	umask  fs.FileMode
}

// interpreter is one running shell: a session's own, or an "sh" started in it.
type interpreter struct {
	shell  *Shell
	stdio  Stdio
	runner *interp.Runner
	broken error // why there is no runner

	mu    sync.Mutex // what follows is also touched by pipelines and subshells
	umask fs.FileMode
	traps map[string]string // action by signal name
}

func newInterpreter(s *Shell, begin start) *interpreter {
	in := &interpreter{shell: s, stdio: begin.stdio, umask: begin.umask, traps: map[string]string{}}
	runner, err := interp.New(
		interp.Env(environment{expand.ListEnviron(append(begin.env, noFifos)...)}),
		interp.Dir("/"),
		interp.Params(begin.params...),
		interp.StdIO(begin.stdio.In, begin.stdio.Out, begin.stdio.Err),
		interp.CallHandler(in.rewriteCall),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return in.exec }),
		interp.OpenHandler(in.open),
		interp.ReadDirHandler2(in.readDir),
		interp.StatHandler(in.stat),
		interp.AccessHandler(in.access),
	)
	if err != nil {
		in.broken = err
		return in
	}
	runner.Reset()
	in.runner = runner
	in.enter(begin.dir)
	return in
}

// enter goes to the folder the shell begins in, if it is still there. The
// option interp.Dir would look for it on the host.
func (in *interpreter) enter(dir string) {
	info, err := in.shell.Tree.Stat(dir)
	if err != nil || !info.IsDir() {
		return
	}
	change, err := newParser().Parse(strings.NewReader("cd "+posixsh.Quote(dir)), "")
	if err == nil {
		in.run(context.Background(), change.Stmts[0])
	}
}

// noFifos points the interpreter's own named pipes, for <(command), to a place
// where none can be made: they would be files of the host.
const noFifos = "TMPDIR=" + os.DevNull

// environment answers for the home folders of users ("HOME name"), which the
// interpreter would look up in the host's user database.
type environment struct{ expand.Environ }

func (e environment) Get(name string) expand.Variable {
	user, asked := strings.CutPrefix(name, "HOME ")
	if !asked {
		return e.Environ.Get(name)
	}
	if user == "root" {
		return expand.Variable{Set: true, Kind: expand.String, Str: homeDir}
	}
	return expand.Variable{Set: true, Kind: expand.String, Str: "~" + user}
}

// runText runs a script whose name, its $0, is given.
func (in *interpreter) runText(ctx context.Context, name, text string) int {
	file, err := newParser().Parse(strings.NewReader(text), name)
	if err != nil {
		fmt.Fprintln(in.stdio.Err, err)
		return statusUsage
	}
	return in.untilHangup(ctx, func(ctx context.Context) int { return in.run(ctx, file) })
}

// runStream runs each line of commands as soon as it is read and reads no
// further than it needs, so that commands can read what follows.
func (in *interpreter) runStream(ctx context.Context, r io.Reader) int {
	return in.untilHangup(ctx, func(ctx context.Context) int {
		status := 0
		parser := newParser()
		source := io.MultiReader(oneByteReader{r}, strings.NewReader("\n"))
		for statements, err := range parser.InteractiveSeq(source) {
			if err != nil {
				fmt.Fprintf(in.stdio.Err, "sh: %v\n", err)
				return statusUsage
			}
			if parser.Incomplete() {
				continue
			}
			var exited bool
			if status, exited = in.runStatements(ctx, statements, status); exited {
				return status
			}
		}
		in.run(ctx, &syntax.File{}) // the end of the file: the trap for EXIT
		return status
	})
}

// runStatements returns the status of the last statement, or the one given if
// there is none, and whether the shell is to end.
func (in *interpreter) runStatements(ctx context.Context, statements []*syntax.Stmt, status int) (int, bool) {
	for _, statement := range statements {
		status = in.run(ctx, statement)
		if ctx.Err() != nil || in.runner == nil || in.runner.Exited() {
			return status, true
		}
	}
	return status, false
}

func (in *interpreter) run(ctx context.Context, node syntax.Node) int {
	if in.broken != nil {
		fmt.Fprintf(in.stdio.Err, "sh: %v\n", in.broken)
		return statusCannotRun
	}
	err := in.runner.Run(ctx, node)
	var status interp.ExitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil:
		return statusHangup
	}
	fmt.Fprintf(in.stdio.Err, "sh: %v\n", err)
	return 1
}

// untilHangup runs work and stops it when ctx ends, unless HUP is ignored.
// After a hangup the traps run.
func (in *interpreter) untilHangup(ctx context.Context, work func(context.Context) int) int {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	hangup := func() {
		if ctx.Err() != nil && !in.ignores("HUP") {
			stop()
		}
	}
	release := context.AfterFunc(ctx, hangup)
	defer release()
	status := work(checkedContext{running, hangup})
	if running.Err() == nil {
		return status
	}
	in.runTrapsAfterHangup(ctx)
	return statusHangup
}

// checkedContext is looked at by the interpreter before every statement. It
// asks for a hangup itself: AfterFunc may come a moment late, after a command
// that the loss of the connection ended.
type checkedContext struct {
	context.Context
	check func()
}

func (c checkedContext) Err() error {
	c.check()
	return c.Context.Err()
}

func (in *interpreter) runTrapsAfterHangup(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trapTime)
	defer cancel()
	// A file's end is the shell's end: with it the trap for EXIT runs.
	file, err := newParser().Parse(strings.NewReader(in.trap("HUP")), "")
	if err != nil {
		file = &syntax.File{}
	}
	in.run(ctx, file)
}

// newParser parses bash: the interpreter does not know "export" as the POSIX
// parser hands it over.
func newParser() *syntax.Parser { return syntax.NewParser(syntax.Variant(syntax.LangBash)) }

func (in *interpreter) open(ctx context.Context, name string, flag int, _ fs.FileMode) (io.ReadWriteCloser, error) {
	return in.shell.Tree.OpenFile(absolute(interp.HandlerCtx(ctx).Dir, name), flag, 0o666&^in.currentUmask())
}

func (in *interpreter) readDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	return in.shell.Tree.ReadDir(name)
}

func (in *interpreter) stat(_ context.Context, name string, follow bool) (fs.FileInfo, error) {
	if follow {
		return in.shell.Tree.Stat(name)
	}
	return in.shell.Tree.Lstat(name)
}

// access: the device's user is root, who may do everything but run a file
// that nobody may run.
func (in *interpreter) access(_ context.Context, name string, mode interp.AccessMode) error {
	info, err := in.shell.Tree.Stat(name)
	if err != nil {
		return err
	}
	if mode&interp.AccessExec != 0 && !info.IsDir() && info.Mode()&0o111 == 0 {
		return fs.ErrPermission
	}
	return nil
}

func (in *interpreter) currentUmask() fs.FileMode {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.umask
}

func (in *interpreter) setUmask(mask fs.FileMode) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.umask = mask
}

// absolute is name as seen from the folder dir.
func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(dir, name)
}

// oneByteReader keeps the parser from reading ahead.
type oneByteReader struct{ r io.Reader }

func (o oneByteReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return o.r.Read(p[:1])
}
