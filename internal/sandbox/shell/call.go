package shell

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what a command of its name computes
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"

	"mbl/internal/sandbox/devicetree"
)

// call is one command being run.
type call struct {
	Stdio
	in   *interpreter
	dir  string
	env  expand.Environ
	name string
	args []string // without the name
}

// command runs a built-in command and returns its exit status.
type command func(ctx context.Context, c *call) int

// systemDirs hold the built-in commands, for those who call them by path.
var systemDirs = []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin"}

func builtinCommand(name string) (command, bool) {
	commands := map[string]command{
		"cat": cat, "chmod": chmod, "cp": cp, "date": date, "head": head, "hostname": hostname, "id": id, "ls": ls,
		"md5sum": checksums(md5.New), "mkdir": mkdir, "mktemp": mktemp, "mv": mv, "rm": rm, "rmdir": rmdir, "scp": scp, "sh": sh,
		"sha256sum": checksums(sha256.New), "sleep": sleep, "sync": syncDisks, "touch": touch, "uname": uname,
		"wc": wc, "which": which, "whoami": whoami,
		ours + "umask": umask, ours + "type": which,
	}
	found, known := commands[name]
	return found, known
}

func (in *interpreter) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	c := &call{
		Stdio: Stdio{In: hc.Stdin, Out: hc.Stdout, Err: hc.Stderr},
		in:    in, dir: hc.Dir, env: hc.Env, name: args[0], args: args[1:],
	}
	if c.In == nil {
		c.In = strings.NewReader("")
	}
	if status := c.run(ctx); status != 0 {
		return interp.ExitStatus(status)
	}
	return nil
}

func (c *call) run(ctx context.Context) int {
	where, ok := c.find(c.name)
	if !ok {
		fmt.Fprintf(c.Err, "sh: %s: not found\n", c.name)
		return statusNotFound
	}
	if builtin, ok := builtinCommand(where); ok {
		return builtin(ctx, c)
	}
	if program, ok := c.in.shell.Programs[where]; ok {
		return program(ctx, append([]string{c.name}, c.args...), c.Stdio)
	}
	return c.runFile(ctx, where)
}

// find returns the name of a built-in command, or the path of a file that may
// be run.
func (c *call) find(name string) (string, bool) {
	if _, ok := builtinCommand(name); ok {
		return name, true
	}
	if !strings.Contains(name, "/") {
		for dir := range strings.SplitSeq(c.env.Get("PATH").String(), ":") {
			if where := path.Join("/", dir, name); c.runnable(where) {
				return where, true
			}
		}
		return "", false
	}
	where := absolute(c.dir, name)
	if base := path.Base(where); slices.Contains(systemDirs, path.Dir(where)) {
		if _, ok := builtinCommand(base); ok {
			return base, true
		}
	}
	return where, c.runnable(where)
}

func (c *call) runnable(where string) bool {
	info, err := c.tree().Stat(where)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// runFile runs a script of the tree; there is no other kind of program here.
func (c *call) runFile(ctx context.Context, where string) int {
	data, err := c.tree().ReadFile(where)
	if err != nil {
		return c.fail(err)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		fmt.Fprintf(c.Err, "sh: %s: a virtual device runs shell scripts only\n", c.name)
		return statusCannotRun
	}
	return c.subshell(c.args).runText(ctx, c.name, string(data))
}

// subshell is a new shell with this command's folder, files and exported
// variables.
func (c *call) subshell(params []string) *interpreter {
	var env []string
	for name, variable := range c.env.Each {
		if variable.Exported && variable.Kind == expand.String {
			env = append(env, name+"="+variable.Str)
		}
	}
	return newInterpreter(c.in.shell, start{
		stdio: c.Stdio, dir: c.dir, env: env, params: params, umask: c.in.currentUmask(),
	})
}

func (c *call) tree() *devicetree.Tree { return c.in.shell.Tree }

func (c *call) path(name string) string { return absolute(c.dir, name) }

// fail says why the command failed and returns its exit status.
func (c *call) fail(err error) int {
	fmt.Fprintf(c.Err, "%s: %v\n", path.Base(c.name), err)
	return 1
}

func (c *call) misused(problem string) int {
	fmt.Fprintf(c.Err, "%s: %s\n", path.Base(c.name), problem)
	return statusUsage
}

func (c *call) flags() *pflag.FlagSet {
	flags := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	return flags
}

// operands parses the command's flags and returns what is left, of which there
// must be at least want.
func (c *call) operands(flags *pflag.FlagSet, want int) ([]string, bool) {
	if err := flags.Parse(c.args); err != nil {
		c.misused(err.Error())
		return nil, false
	}
	if flags.NArg() < want {
		c.misused("missing operand")
		return nil, false
	}
	return flags.Args(), true
}

// eachOperand does work for each operand, reports what fails and goes on.
func (c *call) eachOperand(operands []string, work func(where string) error) int {
	status := 0
	for _, name := range operands {
		if err := work(c.path(name)); err != nil {
			status = c.fail(err)
		}
	}
	return status
}

// eachInput does work for each file named, or for the standard input.
func (c *call) eachInput(flags *pflag.FlagSet, work func(name string, r io.Reader) error) int {
	operands, ok := c.operands(flags, 0)
	if !ok {
		return statusUsage
	}
	if len(operands) == 0 {
		operands = []string{"-"}
	}
	status := 0
	for _, name := range operands {
		if err := c.withInput(name, work); err != nil {
			status = c.fail(err)
		}
	}
	return status
}

func (c *call) withInput(name string, work func(name string, r io.Reader) error) error {
	if name == "-" {
		return work(name, c.In)
	}
	f, err := c.tree().OpenFile(c.path(name), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return work(name, f)
}
