package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// fileInPlace copies one file under its own name.
func (c *copier) fileInPlace(ctx context.Context, it item) error {
	c.noSums = true
	err := c.move(ctx, it, it.to, 0)
	if err == nil {
		c.arrived = append(c.arrived, arrival{item: it, part: it.to})
		c.arrivedBytes += it.size
		return nil
	}
	if ctx.Err() == nil {
		return err
	}
	var half *HalfError
	if errors.As(err, &half) {
		return &HalfError{Name: half.Name, Err: ctx.Err()}
	}
	return ctx.Err()
}

// uploadWhole brings a file from here to a device that takes it in one go.
func (c *copier) uploadWhole(far wholeWriter) func(ctx context.Context, it item, name string, _ int64) error {
	return func(ctx context.Context, it item, name string, _ int64) error {
		f, err := os.Open(it.from)
		if err != nil {
			return c.atFrom(it.from, translated(err))
		}
		defer f.Close()
		content, size, err := measured(f, it.size)
		if err != nil {
			return c.atFrom(it.from, translated(err))
		}
		err = far.writeWhole(ctx, name, it.mode.Perm(), size, counted(stoppable(ctx, content), c.tell))
		switch {
		case errors.Is(err, ErrChanged):
			return c.atFrom(it.from, err)
		case err != nil:
			return c.atTo(it.to, err)
		default:
			return nil
		}
	}
}

// mostUnmeasured is how long a file may be that does not tell its length.
const mostUnmeasured = 16 << 20

// measured finds out the length of a file that says it is empty: those in
// /proc do, and their length has to be known before they are sent.
func measured(f io.Reader, size int64) (io.Reader, int64, error) {
	if size > 0 {
		return f, size, nil
	}
	content, err := io.ReadAll(io.LimitReader(f, mostUnmeasured+1))
	if err != nil {
		return nil, 0, err
	}
	if len(content) > mostUnmeasured {
		return nil, 0, fmt.Errorf("it does not tell its length and is longer than %d MiB: scp cannot carry it", mostUnmeasured>>20)
	}
	return bytes.NewReader(content), int64(len(content)), nil
}
