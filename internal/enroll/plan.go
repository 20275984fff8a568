package enroll

import "slices"

// Action is what is done with one thing on a board.
type Action string

// The actions.
const (
	Make    Action = "make"    // a folder
	Install Action = "install" // a file or link that is not there
	Replace Action = "replace" // one of ours that differs
	Keep    Action = "keep"    // it is as it should be, or somebody's own
	Start   Action = "start"   // the service, at once and with the board
	Stop    Action = "stop"
	Remove  Action = "remove"
)

// Change is one thing that is done, or would be.
type Change struct {
	Action Action `json:"action"`
	Path   string `json:"path"` // of the service its kind: systemd, sysv
}

// plan is what a board lacks.
type plan struct {
	board    *Board
	dirs     []string // to make
	stage    []item   // to put there
	manifest item     // of all that is ours afterwards
	changes  []Change
}

// newPlan compares what a board has with what it is to have. A file of
// somebody else's is not touched: ErrForeign.
func newPlan(board *Board, wanted []item) (*plan, error) {
	p := &plan{board: board}
	list := &manifest{init: board.Init}
	for _, dir := range neededDirs(board) {
		ours := board.manifest != nil && slices.Contains(board.manifest.dirs, dir)
		missing := !board.has(dir)
		if missing {
			p.dirs = append(p.dirs, dir)
			p.changes = append(p.changes, Change{Make, dir})
		}
		if missing || ours {
			list.dirs = append(list.dirs, dir)
		}
	}
	for _, i := range wanted {
		if err := p.add(i); err != nil {
			return nil, err
		}
	}
	list.items = keptItems(board, wanted)
	p.manifest = smallFile(manifestFile, 0o644, list.text())
	if p.changed() {
		p.changes = append(p.changes, Change{Start, string(board.Init)})
	}
	return p, nil
}

// neededDirs are the folders this kind of board has to have.
func neededDirs(board *Board) []string {
	return slices.DeleteFunc(ownDirs(), func(dir string) bool {
		return dir == "/etc/init.d" && board.Init == Systemd || dir == "/etc/systemd/system" && board.Init == SysV
	})
}

func (p *plan) add(wanted item) error {
	there := p.board.have[wanted.path]
	same := there == thing{"file", wanted.sum}
	if wanted.isLink() {
		same = there == thing{"link", wanted.target}
	}
	owned := p.board.manifest.owns(wanted.path)
	switch {
	case same && owned:
		p.changes = append(p.changes, Change{Keep, wanted.path})
		return nil
	case p.board.has(wanted.path) && !owned:
		return &BoardError{ErrForeign, wanted.path}
	case p.board.has(wanted.path):
		p.changes = append(p.changes, Change{Replace, wanted.path})
	default:
		p.changes = append(p.changes, Change{Install, wanted.path})
	}
	p.stage = append(p.stage, wanted)
	return nil
}

// keptItems are all that the manifest must name: what is wanted, and what an
// earlier enroll put there for another kind of init.
func keptItems(board *Board, wanted []item) []item {
	all := slices.Clone(wanted)
	if board.manifest == nil {
		return all
	}
	for _, old := range board.manifest.items {
		if !slices.ContainsFunc(wanted, func(i item) bool { return i.path == old.path }) {
			all = append(all, old)
		}
	}
	return all
}

// changed tells whether there is anything to do.
func (p *plan) changed() bool { return len(p.dirs)+len(p.stage) > 0 }

// undo is what takes everything away again, the service first.
func (m *manifest) undo() []Change {
	changes := []Change{{Stop, string(m.init)}}
	for _, i := range slices.Backward(m.items) {
		changes = append(changes, Change{Remove, i.path})
	}
	for _, dir := range slices.Backward(m.dirs) {
		changes = append(changes, Change{Remove, dir})
	}
	return changes
}
