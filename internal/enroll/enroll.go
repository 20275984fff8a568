package enroll

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"mbl/internal/ssh"
	"mbl/internal/ssh/posixsh"
)

// Limits of what a board may take its time for.
const (
	lookTime   = time.Minute
	changeTime = 10 * time.Minute // the program crosses a slow network
)

// Result is what was done, or would be.
type Result struct {
	Board     *Board
	Announcer Announcer // empty for an undo
	Binary    string    // the program's file on this machine; empty for an undo
	Changes   []Change
	Changed   bool
}

// Plan says what to do.
type Plan struct {
	Binary func(Architecture) (*Binary, error) // finds the program for a board
	Port   uint16                              // of the board's SSH server, to announce
	Hidden bool                                // do not announce the board
	DryRun bool                                // look, and say what would be done
	Sent   func(bytes, all int64)              // told how much of the program has gone; may be nil
}

// Enroll makes a board a device. A board that is one already gets only what
// differs; when nothing does, it is left alone. After a failure the board is
// as it was before.
func Enroll(ctx context.Context, connection Connection, wish Plan) (*Result, error) {
	return enroll(ctx, connection, wish, "")
}

func enroll(ctx context.Context, connection Connection, wish Plan, root string) (*Result, error) {
	board, err := lookInTime(ctx, connection, root)
	if err != nil {
		return nil, err
	}
	binary, err := wish.Binary(board.Architecture)
	if err != nil {
		return nil, err
	}
	todo, err := newPlan(board, items(board, binary, wish))
	if err != nil {
		return nil, err
	}
	result := &Result{Board: board, Announcer: wish.announcer(board), Binary: binary.Path, Changes: todo.changes}
	if wish.DryRun || !todo.changed() {
		return result, nil
	}
	var payload io.Reader = strings.NewReader("")
	if slices.ContainsFunc(todo.stage, func(i item) bool { return i.binary }) {
		payload = &counter{Reader: binary.reader(), all: int64(len(binary.content)), tell: wish.Sent}
	}
	mark := posixsh.NewMark()
	_, err = board.change(ctx, connection, mark, todo.installScript(mark), payload)
	result.Changed = err == nil
	return result, err
}

// Undo takes away what Enroll has put on a board, the device's credentials
// with it. What somebody has changed since stays, and the result says so. The
// error matches ErrNotEnrolled where there is nothing.
func Undo(ctx context.Context, connection Connection, dryRun bool) (*Result, error) {
	return undo(ctx, connection, dryRun, "")
}

func undo(ctx context.Context, connection Connection, dryRun bool, root string) (*Result, error) {
	board, err := lookInTime(ctx, connection, root)
	if err != nil {
		return nil, err
	}
	if board.manifest == nil {
		return nil, ErrNotEnrolled
	}
	result := &Result{Board: board, Changes: board.manifest.undo()}
	if dryRun {
		return result, nil
	}
	mark := posixsh.NewMark()
	said, err := board.change(ctx, connection, mark, board.undoScript(mark), strings.NewReader(""))
	for _, l := range said {
		at := slices.IndexFunc(result.Changes, func(c Change) bool { return c.Path == l.Text })
		if l.Word == "kept" && at >= 0 {
			result.Changes[at].Action = Keep
		}
	}
	result.Changed = err == nil
	return result, err
}

func lookInTime(ctx context.Context, connection Connection, root string) (*Board, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	return look(ctx, connection, root)
}

// change runs a script with what it reads, and makes of its words an error.
func (b *Board) change(ctx context.Context, connection Connection, mark, script string, payload io.Reader) ([]posixsh.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	output, problems := &posixsh.Output{}, &posixsh.Output{}
	_, err := connection.Run(ctx, ssh.Command{
		Line:   b.commandLine(len(script)),
		Stdin:  io.MultiReader(strings.NewReader(script), payload),
		Stdout: output, Stderr: problems,
	})
	said := posixsh.Answers(output.String(), mark)
	if problem := problemOf(said, problems.String()); problem != nil {
		return said, problem
	}
	if err != nil {
		return said, err
	}
	if !slices.ContainsFunc(said, func(l posixsh.Answer) bool { return l.Word == "done" }) {
		return said, &BoardError{ErrNoAnswer, lastLine(problems.String())}
	}
	return said, nil
}

// problemOf is why a script gave up, nil if it did not.
func problemOf(said []posixsh.Answer, stderr string) error {
	at := slices.IndexFunc(said, func(l posixsh.Answer) bool { return l.Word == "problem" })
	if at < 0 {
		return nil
	}
	word, path, _ := strings.Cut(said[at].Text, " ")
	reasons := map[string]error{"damaged": ErrDamaged, "does-not-run": ErrDoesNotRun, "start": ErrStart, "stopped": ErrStopped}
	reason := reasons[word]
	switch {
	case reason != nil && reason != ErrDamaged: //nolint:errorlint // set just above
	case strings.Contains(stderr, "No space left on device"):
		reason = ErrNoSpace
	case strings.Contains(stderr, "Read-only file system"):
		reason = ErrReadOnly
	case reason == nil:
		reason = ErrWrite
	}
	words := lastLine(stderr)
	if words == "" {
		words = path
	}
	return &BoardError{reason, words}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// counter tells how much was read.
type counter struct {
	io.Reader
	sent, all int64
	tell      func(sent, all int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.sent += int64(n); c.tell != nil && n > 0 {
		c.tell(c.sent, c.all)
	}
	return n, err
}
