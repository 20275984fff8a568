package enroll

import (
	"context"
	"strings"

	"mbl/internal/ssh"
	"mbl/internal/ssh/posixsh"
)

// Connection is a connection to a board.
type Connection interface {
	Run(ctx context.Context, cmd ssh.Command) (exit int, err error)
}

var _ Connection = (*ssh.Client)(nil)

// Board is what was found out about a board.
type Board struct {
	Architecture Architecture
	Init         Init
	Avahi        bool   // avahi is there
	Root         bool   // the account is root
	Become       string // else what makes it root: sudo or doas

	root     string // prefix of all paths; empty but in tests
	have     map[string]thing
	manifest *manifest // nil: enroll was never here
}

// thing is what lies at a path.
type thing struct{ kind, value string } // kind: file with its sum, link with its target, dir, other

func (b *Board) has(path string) bool { return b.have[path].kind != "" }

func (b *Board) rooted(text string) string {
	return strings.NewReplacer("/opt/arm", b.root+"/opt/arm", "/var/run", b.root+"/var/run").Replace(text)
}

// look asks a board for all that a decision needs, and changes nothing.
func look(ctx context.Context, connection Connection, root string) (*Board, error) {
	mark := posixsh.NewMark()
	paths := append(append(append(knownPaths(), ownDirs()...), runLevels()...), "/etc/avahi/services")
	output := &posixsh.Output{}
	command := ssh.Command{Line: "sh", Stdin: strings.NewReader(lookScript(root, mark, paths)), Stdout: output}
	if _, err := connection.Run(ctx, command); err != nil {
		return nil, err
	}
	return newBoard(posixsh.Answers(output.String(), mark), root)
}

// newBoard decides whether this is a board to work with. Its answers are
// foreign: what is not understood is refused.
func newBoard(said []posixsh.Answer, root string) (*Board, error) {
	board := &Board{Init: SysV, root: root, have: map[string]thing{}}
	facts := map[string]string{}
	for _, answer := range said {
		facts[answer.Word] = answer.Text
		if words := strings.Fields(answer.Text); answer.Word == "have" && len(words) >= 2 {
			board.have[words[0]] = thing{words[1], strings.Join(words[2:], " ")}
		}
	}
	if _, whole := facts["done"]; !whole {
		return nil, &BoardError{Reason: ErrNoAnswer}
	}
	if facts["kernel"] != "Linux" {
		return nil, &BoardError{ErrNotLinux, facts["kernel"]}
	}
	board.Root, board.Become = facts["user"] == "0", facts["become"]
	if !board.Root && board.Become != "sudo" && board.Become != "doas" {
		return nil, &BoardError{Reason: ErrNotRoot}
	}
	if facts["sums"] == "" {
		return nil, &BoardError{Reason: ErrNoChecksum}
	}
	if facts["init"] == string(Systemd) {
		board.Init = Systemd
	}
	board.Avahi = board.has("/etc/avahi/services")
	var err error
	if text, there := facts["manifest"]; there {
		if board.manifest, err = parseManifest(text); err != nil {
			return nil, err
		}
	}
	board.Architecture, err = architectureOf(facts["machine"])
	return board, err
}
