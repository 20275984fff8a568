package transfer

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"

	"mbl/internal/ssh"
)

// A batch of arrived files is checked by one command on the device; starting
// one takes about as long as sending a megabyte.
const (
	batchFiles = 100
	batchBytes = 64 << 20
)

// copier does what a plan says.
type copier struct {
	sides
	far  device
	move func(ctx context.Context, it item, part string, at int64) error
	opts Options

	inPlace      bool // files are written under their own names (wholeWriter)
	lengthsKnown bool // a file that says it is empty comes empty

	noSums       bool
	sumsKnown    bool
	arrived      []arrival // whole, but not checked and without their names
	arrivedBytes int64
	result       Result
	progress     Progress
}

// arrival is a file that lies under its part's name.
type arrival struct {
	item
	part    string
	resumed bool
}

func (c *copier) copy(ctx context.Context, src, dst string) (Result, error) {
	p := planner{sides: c.sides}
	todo, err := p.run(ctx, src, dst, c.opts.Recursive)
	if err != nil {
		return c.result, err
	}
	c.result.Skipped = append([]Skipped{}, todo.skipped...) // never null in JSON
	c.progress.Total = todo.bytes
	err = c.carryOut(ctx, todo)
	c.result.Checked = "sha256"
	if c.noSums {
		c.result.Checked = "size"
	}
	return c.result, err
}

func (c *copier) carryOut(ctx context.Context, todo *plan) error {
	made, err := c.folders(ctx, todo.folders)
	if err != nil {
		return err
	}
	if err := c.files(ctx, todo.files); err != nil {
		return c.brokenOff(ctx, err)
	}
	// Links come after the files, so that nothing is written through one.
	if err := c.links(ctx, todo.links); err != nil {
		return err
	}
	for _, it := range slices.Backward(made) { // the innermost first: the outer may forbid to enter
		if err := c.to.chmod(ctx, it.to, it.mode.Perm()); err != nil {
			return c.atTo(it.to, err)
		}
	}
	return nil
}

// folders makes those that do not exist and returns them. Their modes come at
// the end: a folder may be one that nobody can write to.
func (c *copier) folders(ctx context.Context, folders []item) (made []item, err error) {
	for _, it := range folders {
		err := c.to.mkdir(ctx, it.to)
		if err == nil {
			made = append(made, it)
		} else if !c.isFolder(ctx, it.to) {
			return nil, c.atTo(it.to, err)
		}
		c.result.Folders++
	}
	return made, nil
}

func (c *copier) isFolder(ctx context.Context, name string) bool {
	found, err := c.to.stat(ctx, name)
	return err == nil && found.mode.IsDir()
}

func (c *copier) links(ctx context.Context, links []item) error {
	for _, it := range links {
		err := c.to.symlink(ctx, it.target, it.to)
		switch {
		case unsupported(err), errors.Is(err, errNoLinks):
			c.result.Skipped = append(c.result.Skipped, Skipped{it.from, reasonNoLinks})
		case err != nil:
			return c.atTo(it.to, err)
		default:
			c.result.Links++
		}
	}
	return nil
}

func (c *copier) files(ctx context.Context, todo []item) error {
	for _, it := range todo {
		if err := c.file(ctx, it); err != nil {
			return err
		}
		if len(c.arrived) < batchFiles && c.arrivedBytes < batchBytes {
			continue
		}
		if err := c.settle(ctx); err != nil {
			return err
		}
	}
	return c.settle(ctx)
}

// file copies one file under its part's name.
func (c *copier) file(ctx context.Context, it item) error {
	if c.inPlace {
		return c.fileInPlace(ctx, it)
	}
	part := partOf(c.to, it.to)
	at, err := c.leftOver(ctx, it, part)
	if err != nil {
		return err
	}
	if it.size >= worthKeeping {
		c.haveSums(ctx) // decides whether a part would be of use
	}
	c.tell(at)
	if err := c.move(ctx, it, part, at); err != nil {
		return c.unfinished(ctx, it, part, err)
	}
	c.result.Resumed += at
	c.arrived = append(c.arrived, arrival{it, part, at > 0})
	c.arrivedBytes += it.size
	return nil
}

// leftOver is where to go on with what an earlier copy left of the file. That
// takes checksums: the part may be of another version of it.
func (c *copier) leftOver(ctx context.Context, it item, part string) (int64, error) {
	found, err := c.to.stat(ctx, part)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, c.atTo(part, err)
	}
	at := resumeAt(found.size, it.size)
	if at > 0 && found.mode.IsRegular() && c.haveSums(ctx) {
		return at, nil
	}
	if err := c.to.remove(ctx, part); err != nil {
		return 0, c.atTo(part, err)
	}
	return 0, nil
}

func (c *copier) haveSums(ctx context.Context) bool {
	if !c.sumsKnown {
		_, err := c.far.sums(ctx, nil)
		c.sumsKnown, c.noSums = true, err != nil
	}
	return !c.noSums
}

// unfinished keeps what arrived of a file where the same copy can go on with
// it, and takes it away elsewhere.
func (c *copier) unfinished(ctx context.Context, it item, part string, err error) error {
	interrupted := ctx.Err() != nil || errors.Is(err, ssh.ErrDropped)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), ctrlCGrace)
	defer cancel()
	found, statErr := c.to.stat(cleanup, part)
	if errors.Is(statErr, fs.ErrNotExist) {
		return err
	}
	big := statErr != nil || found.size >= worthKeeping
	if !(interrupted && big && !c.noSums) && c.to.remove(cleanup, part) == nil {
		return err
	}
	return &PartError{Part: part, Err: err}
}

// brokenOff gives the whole files that have arrived their names, if it still
// can.
func (c *copier) brokenOff(ctx context.Context, err error) error {
	if len(c.arrived) == 0 || c.inPlace {
		return err
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*ctrlCGrace)
	defer cancel()
	if ctx.Err() == nil && c.settle(cleanup) == nil {
		return err
	}
	for _, a := range c.arrived {
		if c.to.remove(cleanup, a.part) != nil {
			return &PartError{Part: a.part, Err: err}
		}
	}
	return err
}

// settle checks the files that have arrived and gives them their names.
func (c *copier) settle(ctx context.Context) error {
	if len(c.arrived) == 0 {
		return nil
	}
	for _, a := range c.arrived {
		if err := c.checkSize(ctx, a); err != nil {
			return err
		}
	}
	differ, err := c.differing(ctx)
	if err != nil {
		return err
	}
	for _, i := range differ {
		if err := c.again(ctx, c.arrived[i]); err != nil {
			return err
		}
	}
	for len(c.arrived) > 0 {
		a := c.arrived[0]
		if err := c.rename(ctx, a); err != nil {
			return c.atTo(a.to, err)
		}
		c.result.Files++
		c.result.Bytes += a.size
		c.arrived = c.arrived[1:]
	}
	c.arrivedBytes = 0
	return nil
}

// rename gives an arrived file its name, if it has another.
func (c *copier) rename(ctx context.Context, a arrival) error {
	if c.inPlace {
		return nil
	}
	return c.to.rename(ctx, a.part, a.to)
}

func (c *copier) checkSize(ctx context.Context, a arrival) error {
	if c.inPlace {
		return nil // the device has agreed to the length before and after
	}
	found, err := c.to.stat(ctx, a.part)
	if err != nil {
		return c.atTo(a.part, err)
	}
	if found.size != a.size && !c.endless(a.item) {
		return c.atFrom(a.from, ErrChanged)
	}
	return nil
}

// endless tells whether a file may be longer than it says, as those in /proc.
func (c *copier) endless(it item) bool { return it.size == 0 && !c.lengthsKnown }

// differing are the numbers of the arrived files that are not like their
// sources.
func (c *copier) differing(ctx context.Context) ([]int, error) {
	if c.noSums {
		return nil, nil
	}
	want, have, err := c.bothSums(ctx)
	if errors.Is(err, errNoSums) {
		c.noSums = true
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var differ []int
	for i := range want {
		if want[i] != have[i] && !c.endless(c.arrived[i].item) {
			differ = append(differ, i)
		}
	}
	return differ, nil
}

// bothSums computes the checksums of both sides at the same time.
func (c *copier) bothSums(ctx context.Context) (from, to []string, err error) {
	var sources, parts []string
	for _, a := range c.arrived {
		sources, parts = append(sources, a.from), append(parts, a.part)
	}
	failed := make(chan error, 1)
	go func() {
		var err error
		from, err = c.from.sums(ctx, sources)
		failed <- err
	}()
	to, err = c.to.sums(ctx, parts)
	return from, to, errors.Join(<-failed, err)
}

// again copies a file from its beginning that went on with a part of
// something else. One that was copied in one go is a failure.
func (c *copier) again(ctx context.Context, a arrival) error {
	err := c.to.remove(ctx, a.part)
	if err == nil && a.resumed {
		err = c.move(ctx, a.item, a.part, 0)
	}
	if err != nil {
		return c.atTo(a.part, err)
	}
	if !a.resumed {
		return c.atTo(a.to, ErrDiffers)
	}
	want, err := c.from.sums(ctx, []string{a.from})
	if err != nil {
		return c.atFrom(a.from, err)
	}
	have, err := c.to.sums(ctx, []string{a.part})
	if err != nil {
		return c.atTo(a.part, err)
	}
	if want[0] != have[0] {
		return errors.Join(c.atTo(a.to, ErrDiffers), c.to.remove(ctx, a.part))
	}
	return nil
}

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
	sink := countedWriter(ctx, keepError(holes, &written), c.tell)
	if !c.endless(it) {
		sink = atMost(sink, it.size-at)
	}
	err := c.far.read(ctx, it.from, at, sink)
	// What has arrived keeps its place even if the rest is missing.
	kept := holes.finish()
	switch {
	case written != nil:
		return c.atTo(it.to, translated(written))
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

// upload brings a file from here to the device, from an offset on.
func (c *copier) upload(ctx context.Context, it item, part string, at int64) error {
	f, err := os.Open(it.from)
	if err != nil {
		return c.atFrom(it.from, translated(err))
	}
	defer f.Close()
	if err := c.send(ctx, it, f, part, at); err != nil {
		return c.atTo(it.to, err)
	}
	return nil
}

func (c *copier) send(ctx context.Context, it item, f *os.File, part string, at int64) error {
	mode := it.mode.Perm() | 0o600 // it may have to be opened several times
	far, ok := c.far.(appender)
	if !ok {
		return errors.ErrUnsupported
	}
	write := func(at int64, r io.Reader) error {
		return far.write(ctx, part, at, mode, counted(stoppable(ctx, r), c.tell))
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
