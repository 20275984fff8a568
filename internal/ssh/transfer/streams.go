package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
)

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

type writeFunc func(p []byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

// stoppable is a reader that ends with ctx.
func stoppable(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

// counted is a reader that tells how much went through.
func counted(r io.Reader, tell func(n int64)) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		tell(int64(n))
		return n, err
	})
}

// countedWriter is a writer that ends with ctx and tells how much went through.
func countedWriter(ctx context.Context, w io.Writer, tell func(n int64)) io.Writer {
	return writeFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := w.Write(p)
		tell(int64(n))
		return n, err
	})
}

// atMost is a writer that refuses more bytes than were told of: whoever sends
// could go on for ever.
func atMost(w io.Writer, most int64) io.Writer {
	return writeFunc(func(p []byte) (int, error) {
		if int64(len(p)) > most {
			return 0, ErrChanged
		}
		most -= int64(len(p))
		return w.Write(p)
	})
}

// keepError is a writer whose first error is kept aside: a library that copies
// does not tell which side it came from.
func keepError(w io.Writer, first *error) io.Writer {
	return writeFunc(func(p []byte) (int, error) {
		n, err := w.Write(p)
		if err != nil && *first == nil {
			*first = err
		}
		return n, err
	})
}

// keepReadError is a reader whose first failure is kept aside, and ends what
// is read: the device finishes writing in good order, and what it wrote can be
// taken away.
func keepReadError(r io.Reader, first *error) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if err == nil || errors.Is(err, io.EOF) {
			return n, err
		}
		if *first == nil {
			*first = err
		}
		return n, io.EOF
	})
}

// afterMark is a writer that passes on what follows a mark.
type afterMark struct {
	mark   []byte
	to     io.Writer
	before []byte // what came up to now without the mark
	passed bool
}

// Write implements io.Writer.
func (a *afterMark) Write(p []byte) (int, error) {
	if a.passed {
		return a.to.Write(p)
	}
	a.before = append(a.before, p...)
	_, rest, found := bytes.Cut(a.before, a.mark)
	if !found {
		if len(a.before) > mostAnswered {
			return 0, ErrTooMuch
		}
		return len(p), nil
	}
	a.passed, a.before = true, nil
	if len(rest) > 0 {
		if _, err := a.to.Write(rest); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
