package shell

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

func rm(_ context.Context, c *call) int {
	flags := c.flags()
	recursive := flags.BoolP("recursive", "r", false, "")
	also := flags.BoolP("Recursive", "R", false, "")
	force := flags.BoolP("force", "f", false, "")
	operands, ok := c.operands(flags, 0)
	if !ok {
		return statusUsage
	}
	if len(operands) == 0 && !*force {
		return c.misused("missing operand")
	}
	return c.eachOperand(operands, func(where string) error {
		info, err := c.tree().Lstat(where)
		if errors.Is(err, fs.ErrNotExist) && *force {
			return nil
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return c.tree().Remove(where)
		}
		if !*recursive && !*also {
			return fmt.Errorf("cannot remove %s: is a directory", where)
		}
		return c.tree().RemoveAll(where)
	})
}

func rmdir(_ context.Context, c *call) int {
	operands, ok := c.operands(c.flags(), 1)
	if !ok {
		return statusUsage
	}
	return c.eachOperand(operands, func(where string) error {
		info, err := c.tree().Lstat(where)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s: not a directory", where)
		}
		return c.tree().Remove(where)
	})
}

func mkdir(_ context.Context, c *call) int {
	flags := c.flags()
	parents := flags.BoolP("parents", "p", false, "")
	modeText := flags.StringP("mode", "m", "", "")
	operands, ok := c.operands(flags, 1)
	if !ok {
		return statusUsage
	}
	usual := 0o777 &^ c.in.currentUmask()
	mode := usual
	if *modeText != "" {
		var err error
		if mode, err = parseMode(*modeText, usual); err != nil {
			return c.misused(err.Error())
		}
	}
	return c.eachOperand(operands, func(where string) error {
		if !*parents {
			return c.tree().Mkdir(where, mode)
		}
		if err := c.tree().MkdirAll(path.Dir(where), usual); err != nil {
			return err
		}
		err := c.tree().Mkdir(where, mode)
		if info, statErr := c.tree().Stat(where); errors.Is(err, fs.ErrExist) && statErr == nil && info.IsDir() {
			return nil
		}
		return err
	})
}

func mv(_ context.Context, c *call) int {
	flags := c.flags()
	flags.BoolP("force", "f", false, "")
	operands, ok := c.operands(flags, 2)
	if !ok {
		return statusUsage
	}
	return c.toTarget(operands, c.tree().Rename)
}

func cp(_ context.Context, c *call) int {
	flags := c.flags()
	recursive := flags.BoolP("recursive", "r", false, "")
	also := flags.BoolP("Recursive", "R", false, "")
	flags.BoolP("archive", "a", false, "")
	flags.BoolP("preserve", "p", false, "")
	flags.BoolP("force", "f", false, "")
	operands, ok := c.operands(flags, 2)
	if !ok {
		return statusUsage
	}
	deep := *recursive || *also || flags.Changed("archive")
	return c.toTarget(operands, func(from, to string) error { return c.copy(from, to, deep) })
}

// toTarget does work for each operand but the last, with its place in or at
// the last one.
func (c *call) toTarget(operands []string, work func(from, to string) error) int {
	target := c.path(operands[len(operands)-1])
	sources := operands[:len(operands)-1]
	info, err := c.tree().Stat(target)
	isDir := err == nil && info.IsDir()
	if len(sources) > 1 && !isDir {
		return c.misused(target + " is not a directory")
	}
	return c.eachOperand(sources, func(from string) error {
		if isDir {
			return work(from, path.Join(target, path.Base(from)))
		}
		return work(from, target)
	})
}

func (c *call) copy(from, to string, deep bool) error {
	info, err := c.tree().Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return c.copyFile(from, to, info.Mode())
	}
	if !deep {
		return fmt.Errorf("%s is a directory (not copied)", from)
	}
	entries, err := c.tree().ReadDir(from)
	if err != nil {
		return err
	}
	if err := c.tree().Mkdir(to, info.Mode()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, entry := range entries {
		if err := c.copy(path.Join(from, entry.Name()), path.Join(to, entry.Name()), deep); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) copyFile(from, to string, mode fs.FileMode) error {
	source, err := c.tree().OpenFile(from, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := c.tree().OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

func chmod(_ context.Context, c *call) int {
	// Modes such as -x look like flags, so there are none here but -R.
	args := c.args
	recursive := len(args) > 0 && args[0] == "-R"
	if recursive {
		args = args[1:]
	}
	if len(args) < 2 {
		return c.misused("missing operand")
	}
	return c.eachOperand(args[1:], func(where string) error { return c.chmod(args[0], where, recursive) })
}

func (c *call) chmod(modeText, where string, recursive bool) error {
	info, err := c.tree().Stat(where)
	if err != nil {
		return err
	}
	mode, err := parseMode(modeText, info.Mode().Perm())
	if err != nil {
		return err
	}
	if err := c.tree().Chmod(where, mode); err != nil || !recursive || !info.IsDir() {
		return err
	}
	entries, err := c.tree().ReadDir(where)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := c.chmod(modeText, path.Join(where, entry.Name()), recursive); err != nil {
			return err
		}
	}
	return nil
}

func touch(_ context.Context, c *call) int {
	operands, ok := c.operands(c.flags(), 1)
	if !ok {
		return statusUsage
	}
	return c.eachOperand(operands, func(where string) error {
		f, err := c.tree().OpenFile(where, os.O_WRONLY|os.O_CREATE, 0o666&^c.in.currentUmask())
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		now := time.Now()
		return c.tree().Chtimes(where, now, now)
	})
}

func mktemp(_ context.Context, c *call) int {
	flags := c.flags()
	folder := flags.BoolP("directory", "d", false, "")
	if _, ok := c.operands(flags, 0); !ok {
		return statusUsage
	}
	where := fmt.Sprintf("/tmp/tmp.%x", time.Now().UnixNano())
	if *folder {
		if err := c.tree().Mkdir(where, 0o700); err != nil {
			return c.fail(err)
		}
	} else if err := c.tree().WriteFile(where, nil, 0o600); err != nil {
		return c.fail(err)
	}
	fmt.Fprintln(c.Out, where)
	return 0
}

func cat(_ context.Context, c *call) int {
	return c.eachInput(c.flags(), func(_ string, r io.Reader) error {
		_, err := io.Copy(c.Out, r)
		return err
	})
}

func head(_ context.Context, c *call) int {
	flags := c.flags()
	lines := flags.IntP("lines", "n", 10, "")
	bytes := flags.Int64P("bytes", "c", -1, "")
	return c.eachInput(flags, func(_ string, r io.Reader) error {
		if *bytes >= 0 {
			_, err := io.CopyN(c.Out, r, *bytes)
			return ignoreEOF(err)
		}
		return copyLines(c.Out, r, *lines)
	})
}

// copyLines reads no further than the last line it copies, as a reader after
// it may want the rest.
func copyLines(w io.Writer, r io.Reader, lines int) error {
	one := make([]byte, 1)
	for lines > 0 {
		if _, err := io.ReadFull(r, one); err != nil {
			return ignoreEOF(err)
		}
		if _, err := w.Write(one); err != nil {
			return err
		}
		if one[0] == '\n' {
			lines--
		}
	}
	return nil
}

func wc(_ context.Context, c *call) int {
	flags := c.flags()
	flags.BoolP("bytes", "c", false, "")
	flags.BoolP("lines", "l", false, "")
	return c.eachInput(flags, func(_ string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		count := len(data)
		if flags.Changed("lines") {
			count = countLines(data)
		}
		_, err = fmt.Fprintln(c.Out, count)
		return err
	})
}

func countLines(data []byte) int {
	lines := 0
	for _, b := range data {
		if b == '\n' {
			lines++
		}
	}
	return lines
}

// checksums is sha256sum, or md5sum, which early versions of the original
// mbl-cli run after each copy.
func checksums(algorithm func() hash.Hash) command {
	return func(_ context.Context, c *call) int {
		return c.eachInput(c.flags(), func(name string, r io.Reader) error {
			sum := algorithm()
			if _, err := io.Copy(sum, r); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.Out, "%x  %s\n", sum.Sum(nil), name)
			return err
		})
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
