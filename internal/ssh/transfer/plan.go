package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// item is one thing to copy, with its name on both sides.
type item struct {
	entry
	from, to string
}

// plan is all that is to be copied, found out before anything is changed.
type plan struct {
	folders []item // parents first
	files   []item
	links   []item
	skipped []Skipped
	bytes   int64
}

// Skipped is something in a copied folder that was left out.
type Skipped struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

const (
	reasonLeaves  = "the link leaves the folder"
	reasonSpecial = "neither file, folder nor link"
	reasonNoLinks = "links cannot be made there"
)

// sides are where a copy comes from and where it goes.
type sides struct {
	from, to files
	toDevice bool
	carries  func(name string) error // nil: every name can be carried
}

func (s sides) atFrom(name string, err error) error { return &FileError{!s.toDevice, name, err} }
func (s sides) atTo(name string, err error) error   { return &FileError{s.toDevice, name, err} }

// planner finds out what a copy consists of.
type planner struct {
	sides
	plan plan
}

func (p *planner) run(ctx context.Context, src, dst string, recursive bool) (*plan, error) {
	source, err := p.from.stat(ctx, src)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, p.atFrom(src, ErrNoSource)
	}
	if err != nil {
		return nil, p.atFrom(src, err)
	}
	if source.mode.IsDir() && !recursive {
		return nil, p.atFrom(src, ErrFolder)
	}
	if !source.mode.IsDir() && !source.mode.IsRegular() {
		return nil, p.atFrom(src, ErrNotRegular)
	}
	target, err := p.destination(ctx, src, dst, source.mode.IsDir())
	if err != nil {
		return nil, err
	}
	if !source.mode.IsDir() {
		p.file(item{source, src, target})
		return &p.plan, nil
	}
	return &p.plan, p.folder(ctx, item{source, src, target}, "")
}

// destination is where the source goes: into dst if that is a folder, else
// under that very name.
func (p *planner) destination(ctx context.Context, src, dst string, isFolder bool) (string, error) {
	found, err := p.to.stat(ctx, dst)
	if errors.Is(err, fs.ErrNotExist) {
		return p.newName(ctx, dst, isFolder)
	}
	if err != nil {
		return "", p.atTo(dst, err)
	}
	if found.mode.IsDir() {
		_, base := p.from.split(src)
		dst = p.to.join(dst, base)
		found, err = p.to.stat(ctx, dst)
		if errors.Is(err, fs.ErrNotExist) {
			return dst, nil
		}
		if err != nil {
			return "", p.atTo(dst, err)
		}
	}
	fits := found.mode.IsRegular() && !isFolder || found.mode.IsDir() && isFolder
	if !fits {
		return "", p.atTo(dst, ErrInTheWay)
	}
	return dst, nil
}

// newName checks a name that is not taken yet.
func (p *planner) newName(ctx context.Context, dst string, isFolder bool) (string, error) {
	folder, base := p.to.split(dst)
	if base == "" || strings.HasSuffix(dst, "/") && !isFolder {
		return "", p.atTo(dst, ErrNoFolder)
	}
	parent, err := p.to.stat(ctx, folder)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !parent.mode.IsDir():
		return "", p.atTo(dst, ErrNoFolder)
	case err != nil:
		return "", p.atTo(folder, err)
	default:
		return p.to.join(folder, base), nil
	}
}

func (p *planner) file(it item) {
	p.plan.files = append(p.plan.files, it)
	p.plan.bytes += it.size
}

func (p *planner) skip(it item, reason string) {
	p.plan.skipped = append(p.plan.skipped, Skipped{it.from, reason})
}

// deepest is how many folders may lie one in another: a device could go on
// for ever.
const deepest = 200

// folder adds a folder and all below it. inside is its way from the copied
// folder, with slashes.
func (p *planner) folder(ctx context.Context, it item, inside string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if strings.Count(inside, "/") >= deepest {
		return p.atFrom(it.from, ErrTooDeep)
	}
	p.plan.folders = append(p.plan.folders, it)
	entries, err := p.from.list(ctx, it.from)
	if err != nil {
		return p.atFrom(it.from, err)
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for _, e := range entries {
		if !plainName(e.name) {
			return p.atFrom(it.from, fmt.Errorf("%w: %q", ErrName, e.name))
		}
		if err := p.carried(e.name); err != nil {
			return p.atFrom(it.from, err)
		}
		below := item{e, p.from.join(it.from, e.name), p.to.join(it.to, e.name)}
		if err := p.below(ctx, below, inside); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) carried(name string) error {
	if p.carries == nil {
		return nil
	}
	return p.carries(name)
}

func (p *planner) below(ctx context.Context, it item, inside string) error {
	switch {
	case it.mode.IsDir():
		return p.folder(ctx, it, path.Join(inside, it.name))
	case it.mode.IsRegular():
		p.file(it)
	case it.mode&fs.ModeSymlink == 0:
		p.skip(it, reasonSpecial)
	case leaves(inside, it.target):
		p.skip(it, reasonLeaves)
	default:
		p.plan.links = append(p.plan.links, it)
	}
	return nil
}

// plainName tells whether a name stays in the folder it is put into. A device
// may say anything.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00") &&
		filepath.IsLocal(name) && !strings.ContainsRune(name, filepath.Separator)
}

// leaves tells whether a link in the folder inside points out of the copied
// folder.
func leaves(inside, target string) bool {
	target = filepath.ToSlash(target)
	if path.IsAbs(target) || filepath.IsAbs(target) {
		return true
	}
	end := path.Join(inside, target)
	return end == ".." || strings.HasPrefix(end, "../")
}
