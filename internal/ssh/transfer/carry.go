package transfer

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"os"
)

// download brings a file of the device here, from an offset on.
func (c *copier) download(ctx context.Context, it item, part string, at int64) error {
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE, it.mode.Perm()|0o600)
	if err != nil {
		return c.atTo(part, translated(err))
	}
	err = c.receive(ctx, it, f, at)
	if closeErr := f.Close(); err == nil && closeErr != nil {
		return c.atTo(part, translated(closeErr))
	}
	return err
}

func (c *copier) receive(ctx context.Context, it item, f *os.File, at int64) error {
	if err := f.Truncate(at); err != nil {
		return c.atTo(it.to, translated(err))
	}
	holes := newHoleWriter(f, at)
	var written error
	sink := countedWriter(ctx, keepError(c.passed(holes), &written), c.tell)
	if !c.endless(it) {
		sink = atMost(sink, it.size-at)
	}
	err := c.far.read(ctx, it.from, at, sink)
	// What has arrived keeps its place even if the rest is missing.
	kept := holes.finish()
	switch {
	case written != nil:
		return c.atTo(it.to, translated(written))
	case errors.Is(err, ErrChanged):
		return c.atFrom(it.from, ErrChanged)
	case err != nil:
		return c.atFrom(it.from, err)
	case kept != nil:
		return c.atTo(it.to, translated(kept))
	}
	if err := f.Chmod(it.mode.Perm()); err != nil {
		return c.atTo(it.to, translated(err))
	}
	return nil
}

// passed is a writer of a file's bytes that are counted into its checksum too.
func (c *copier) passed(w io.Writer) io.Writer {
	if c.passing == nil {
		return w
	}
	return io.MultiWriter(w, c.passing)
}

// upload brings a file from here to the device, from an offset on.
func (c *copier) upload(ctx context.Context, it item, part string, at int64) error {
	f, err := os.Open(it.from)
	if err != nil {
		return c.atFrom(it.from, translated(err))
	}
	defer f.Close()
	var read error
	err = c.send(ctx, it, part, at, f, &read)
	switch {
	case read != nil:
		return c.atFrom(it.from, translated(read))
	case err != nil:
		return c.atTo(it.to, err)
	default:
		return nil
	}
}

// send writes the file to the device; it keeps an error of reading it aside.
func (c *copier) send(ctx context.Context, it item, part string, at int64, f *os.File, read *error) error {
	mode := it.mode.Perm() | 0o600 // it may have to be opened several times
	far, ok := c.far.(appender)
	if !ok {
		return errors.ErrUnsupported
	}
	write := func(at int64, r io.Reader) error {
		if c.passing != nil {
			c.passing.skipTo(at)
			r = io.TeeReader(r, c.passing)
		}
		err := far.write(ctx, part, at, mode, counted(stoppable(ctx, keepReadError(r, read)), c.tell))
		return cmp.Or(err, *read)
	}
	end := int64(-1)
	for _, data := range after(extents(f, it.size), at) {
		if err := write(data.from, io.NewSectionReader(f, data.from, data.to-data.from)); err != nil {
			return err
		}
		end = data.to
	}
	if end < it.size {
		// A hole at the end, or a file that says nothing of its length.
		if err := write(it.size, io.NewSectionReader(f, it.size, math.MaxInt64-it.size)); err != nil {
			return err
		}
	}
	if it.mode.Perm() == mode {
		return nil
	}
	return c.far.chmod(ctx, part, it.mode.Perm())
}

// tell reports n more bytes.
func (c *copier) tell(n int64) {
	c.progress.Done += n
	if c.opts.Progress != nil {
		c.opts.Progress(c.progress)
	}
}
