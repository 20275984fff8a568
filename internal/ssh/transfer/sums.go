package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
)

// runningSum is the SHA-256 of a file that passes by from its beginning. What
// is left out of it is a hole.
type runningSum struct {
	hash hash.Hash
	at   int64 // how much of the file is in it
}

func newRunningSum() *runningSum { return &runningSum{hash: sha256.New()} }

// Write implements io.Writer.
func (s *runningSum) Write(p []byte) (int, error) {
	s.at += int64(len(p))
	return s.hash.Write(p)
}

// skipTo takes in the zeros of a hole.
func (s *runningSum) skipTo(at int64) {
	zeros := make([]byte, min(64<<10, max(0, at-s.at)))
	for s.at < at {
		_, _ = s.Write(zeros[:min(int64(len(zeros)), at-s.at)]) // a hash takes everything
	}
}

func (s *runningSum) String() string { return hex.EncodeToString(s.hash.Sum(nil)) }

// laterSum is a checksum of the device's that is being computed.
type laterSum struct {
	done chan struct{}
	sum  string
	err  error
}

// sumLater begins to compute a file's checksum on a side.
func sumLater(ctx context.Context, side files, names ...string) *laterSum {
	later := &laterSum{done: make(chan struct{})}
	go func() {
		defer close(later.done)
		sums, err := side.sums(ctx, names)
		later.err = err
		if len(sums) > 0 {
			later.sum = sums[0]
		}
	}()
	return later
}

// wait returns the checksum; or why there is none.
func (l *laterSum) wait(ctx context.Context) (string, error) {
	select {
	case <-l.done:
		return l.sum, l.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// startSums finds out, beside the copy, whether the device can compute
// checksums.
func (c *copier) startSums(ctx context.Context) {
	if !c.noSums {
		c.canSum = sumLater(ctx, c.far)
	}
}

// haveSums waits for what startSums finds out. That nothing could be found out
// is no answer: the next command will say why.
func (c *copier) haveSums(ctx context.Context) bool {
	if c.noSums || c.canSum == nil {
		return !c.noSums
	}
	_, err := c.canSum.wait(ctx)
	c.noSums = errors.Is(err, errNoSums)
	return !c.noSums
}

// bothSums are the checksums of the arrived files on both sides: those that
// were computed on the way, and the others, on both sides at the same time.
func (c *copier) bothSums(ctx context.Context) (here, there []string, err error) {
	failed := make(chan error, 1)
	go func() {
		var err error
		here, err = c.sumsHere(ctx)
		failed <- err
	}()
	there, err = c.sumsThere(ctx)
	return here, there, errors.Join(<-failed, err)
}

func (c *copier) sumsHere(ctx context.Context) ([]string, error) {
	sums := make([]string, len(c.arrived))
	for i, a := range c.arrived {
		if sums[i] = a.sumHere; a.sumHere != "" {
			continue
		}
		name := a.part
		if c.toDevice {
			name = a.from
		}
		some, err := local{}.sums(ctx, []string{name})
		if err != nil {
			return nil, err
		}
		sums[i] = some[0]
	}
	return sums, nil
}

func (c *copier) sumsThere(ctx context.Context) ([]string, error) {
	sums := make([]string, len(c.arrived))
	var missing []int
	var names []string
	for i, a := range c.arrived {
		switch {
		case a.sumThere != nil:
			sum, err := a.sumThere.wait(ctx)
			if err != nil {
				return nil, err
			}
			sums[i] = sum
		case c.toDevice:
			missing, names = append(missing, i), append(names, a.part)
		default:
			missing, names = append(missing, i), append(names, a.from)
		}
	}
	if len(names) == 0 {
		return sums, nil
	}
	some, err := c.far.sums(ctx, names)
	if err != nil {
		return nil, err
	}
	for at, i := range missing {
		sums[i] = some[at]
	}
	return sums, nil
}
