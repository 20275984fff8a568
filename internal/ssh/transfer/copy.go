package transfer

import (
	"context"
	"errors"
	"io/fs"
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
	canSum       *laterSum   // whether there are checksums; nil: nobody has asked
	passing      *runningSum // of the file on its way; nil: it does not pass from its beginning
	arrived      []arrival   // whole, but not checked and without their names
	arrivedBytes int64
	result       Result
	progress     Progress
}

// arrival is a file that lies under its part's name.
type arrival struct {
	item
	part    string
	resumed bool

	sumHere  string    // its checksum on this machine; empty: to be computed
	sumThere *laterSum // and on the device; nil: likewise
}

func (c *copier) copy(ctx context.Context, src, dst string) (Result, error) {
	p := planner{sides: c.sides}
	todo, err := p.run(ctx, src, dst, c.opts.Recursive)
	if err != nil {
		return c.result, err
	}
	c.result.Skipped = append([]Skipped{}, todo.skipped...) // never null in JSON
	if c.opts.DryRun {
		c.foretell(todo)
		return c.result, nil
	}
	c.progress.Total = todo.bytes
	c.startSums(ctx)
	err = c.carryOut(ctx, todo)
	c.result.Checked = "sha256"
	if c.noSums {
		c.result.Checked = "size"
	}
	return c.result, err
}

// foretell is the result if all goes well.
func (c *copier) foretell(todo *plan) {
	c.result.DryRun = true
	c.result.Files, c.result.Folders, c.result.Links = len(todo.files), len(todo.folders), len(todo.links)
	c.result.Bytes = todo.bytes
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
	c.tell(at)
	a := arrival{item: it, part: part, resumed: at > 0, sumThere: c.sumOfSource(ctx, it)}
	if c.passing = nil; !c.noSums && at == 0 {
		c.passing = newRunningSum()
	}
	if err := c.move(ctx, it, part, at); err != nil {
		return c.unfinished(ctx, it, part, err)
	}
	if c.passing != nil {
		a.sumHere = c.passing.String()
	}
	c.result.Resumed += at
	c.arrived = append(c.arrived, a)
	c.arrivedBytes += it.size
	return nil
}

// sumOfSource begins to compute the checksum of a large file of the device
// while it comes here; nil: it will be computed with others.
func (c *copier) sumOfSource(ctx context.Context, it item) *laterSum {
	if c.toDevice || c.noSums || it.size < worthKeeping {
		return nil
	}
	return sumLater(ctx, c.from, it.from)
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
	if !(interrupted && big && c.haveSums(cleanup)) && c.to.remove(cleanup, part) == nil {
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
		if gone := c.to.remove(cleanup, a.part); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			return &PartError{Part: a.part, Err: err}
		}
	}
	return err
}
