package shell

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"mvdan.cc/sh/v3/interp"
)

// The system a virtual device claims to be.
const (
	kernelName    = "Linux"
	kernelRelease = "0.0.0-sandbox"
	machine       = "sandbox"
)

func uname(_ context.Context, c *call) int {
	flags := c.flags()
	all := flags.BoolP("all", "a", false, "")
	name := flags.BoolP("kernel-name", "s", false, "")
	node := flags.BoolP("nodename", "n", false, "")
	release := flags.BoolP("kernel-release", "r", false, "")
	hardware := flags.BoolP("machine", "m", false, "")
	if _, ok := c.operands(flags, 0); !ok {
		return statusUsage
	}
	var words []string
	add := func(wanted bool, word string) {
		if wanted || *all {
			words = append(words, word)
		}
	}
	add(*name || flags.NFlag() == 0, kernelName)
	add(*node, c.in.shell.Hostname)
	add(*release, kernelRelease)
	add(*hardware, machine)
	fmt.Fprintln(c.Out, strings.Join(words, " "))
	return 0
}

func hostname(_ context.Context, c *call) int {
	fmt.Fprintln(c.Out, c.in.shell.Hostname)
	return 0
}

func whoami(_ context.Context, c *call) int {
	fmt.Fprintln(c.Out, "root")
	return 0
}

func id(_ context.Context, c *call) int {
	flags := c.flags()
	user := flags.BoolP("user", "u", false, "")
	group := flags.BoolP("group", "g", false, "")
	name := flags.BoolP("name", "n", false, "")
	if _, ok := c.operands(flags, 0); !ok {
		return statusUsage
	}
	switch {
	case !*user && !*group:
		fmt.Fprintln(c.Out, "uid=0(root) gid=0(root) groups=0(root)")
	case *name:
		fmt.Fprintln(c.Out, "root")
	default:
		fmt.Fprintln(c.Out, "0")
	}
	return 0
}

// date shows the time, as seconds since 1970 with +%s.
func date(_ context.Context, c *call) int {
	now := time.Now().UTC()
	switch {
	case len(c.args) == 0:
		fmt.Fprintln(c.Out, now.Format(time.UnixDate))
	case len(c.args) == 1 && c.args[0] == "+%s":
		fmt.Fprintln(c.Out, now.Unix())
	default:
		return c.misused("knows only +%s")
	}
	return 0
}

func syncDisks(context.Context, *call) int { return 0 }

func sleep(ctx context.Context, c *call) int {
	if len(c.args) != 1 {
		return c.misused("wants one operand")
	}
	seconds, err := strconv.ParseFloat(strings.TrimSuffix(c.args[0], "s"), 64)
	if err != nil || seconds < 0 {
		return c.misused("bad time " + strconv.Quote(c.args[0]))
	}
	timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0
	case <-ctx.Done():
		return statusHangup
	}
}

// which answers "which", "type" and "command -v".
func which(_ context.Context, c *call) int {
	status := 0
	for _, name := range c.args {
		where, ok := c.find(name)
		switch {
		case ok:
			if _, builtin := builtinCommand(where); builtin {
				where = path.Join("/usr/bin", where)
			}
			fmt.Fprintln(c.Out, where)
		case isShellsOwn(name):
			fmt.Fprintln(c.Out, name)
		default:
			status = 1
		}
	}
	return status
}

// isShellsOwn tells whether the interpreter itself has the command. Its library
// counts some among its own that it cannot do.
func isShellsOwn(name string) bool {
	missing := []string{"bg", "fc", "fg", "jobs", "kill", "newgrp", "ulimit"}
	return interp.IsBuiltin(name) && !slices.Contains(missing, name)
}

func umask(_ context.Context, c *call) int {
	if len(c.args) == 0 {
		fmt.Fprintf(c.Out, "%04o\n", uint32(c.in.currentUmask()))
		return 0
	}
	mask, ok := octalMode(c.args[0])
	if !ok {
		allowed, err := parseMode(c.args[0], 0o777&^c.in.currentUmask())
		if err != nil {
			return c.misused(err.Error())
		}
		mask = 0o777 &^ allowed
	}
	c.in.setUmask(mask)
	return 0
}

func ls(_ context.Context, c *call) int {
	flags := c.flags()
	long := flags.BoolP("long", "l", false, "")
	all := flags.BoolP("all", "a", false, "")
	almost := flags.BoolP("almost-all", "A", false, "")
	itself := flags.BoolP("directory", "d", false, "")
	flags.BoolP("one", "1", false, "")
	operands, ok := c.operands(flags, 0)
	if !ok {
		return statusUsage
	}
	if len(operands) == 0 {
		operands = []string{"."}
	}
	list := listing{call: c, long: *long, hidden: *all || *almost, title: len(operands) > 1}
	status := 0
	for _, name := range operands {
		if err := list.show(name, *itself); err != nil {
			status = c.fail(err)
		}
	}
	return status
}

type listing struct {
	*call
	long, hidden, title bool
}

func (l listing) show(name string, itself bool) error {
	where := l.path(name)
	info, err := l.tree().Lstat(where)
	if err != nil {
		return err
	}
	if itself || !info.IsDir() {
		return l.print([]fs.FileInfo{info}, func(fs.FileInfo) string { return name })
	}
	entries, err := l.tree().ReadDir(where)
	if err != nil {
		return err
	}
	if l.title {
		fmt.Fprintf(l.Out, "%s:\n", name)
	}
	infos := make([]fs.FileInfo, 0, len(entries))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			infos = append(infos, info)
		}
	}
	if !l.hidden {
		infos = slices.DeleteFunc(infos, func(info fs.FileInfo) bool { return strings.HasPrefix(info.Name(), ".") })
	}
	return l.print(infos, fs.FileInfo.Name)
}

func (l listing) print(infos []fs.FileInfo, name func(fs.FileInfo) string) error {
	if !l.long {
		for _, info := range infos {
			fmt.Fprintln(l.Out, name(info))
		}
		return nil
	}
	table := tabwriter.NewWriter(l.Out, 0, 0, 1, ' ', 0)
	for _, info := range infos {
		fmt.Fprintf(table, "%s\troot\troot\t%d\t%s\t%s\n",
			info.Mode(), info.Size(), info.ModTime().Format("Jan _2 15:04"), name(info))
	}
	return table.Flush()
}
