package enroll

import (
	"bytes"
	"context"
	"strings"

	"mbl/internal/ssh"
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
	Announces    bool // avahi is there
	Root         bool // the account is root, else it uses sudo

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
	mark := newMark()
	paths := append(append(append(knownPaths(), ownDirs()...), runLevels()...), "/etc/avahi/services")
	output := &cappedBuffer{}
	command := ssh.Command{Line: "sh", Stdin: strings.NewReader(lookScript(root, mark, paths)), Stdout: output}
	if _, err := connection.Run(ctx, command); err != nil {
		return nil, err
	}
	return newBoard(parseLines(output.String(), mark), root)
}

// newBoard decides whether this is a board to work with. Its answers are
// foreign: what is not understood is refused.
func newBoard(said []line, root string) (*Board, error) {
	board := &Board{Init: SysV, root: root, have: map[string]thing{}}
	facts := map[string]string{}
	for _, l := range said {
		facts[l.word] = l.text
		if words := strings.Fields(l.text); l.word == "have" && len(words) >= 2 {
			board.have[words[0]] = thing{words[1], strings.Join(words[2:], " ")}
		}
	}
	if _, whole := facts["done"]; !whole {
		return nil, &BoardError{Reason: ErrNoAnswer}
	}
	if facts["kernel"] != "Linux" {
		return nil, &BoardError{ErrNotLinux, facts["kernel"]}
	}
	if board.Root = facts["user"] == "0"; !board.Root && facts["sudo"] == "" {
		return nil, &BoardError{Reason: ErrNotRoot}
	}
	if facts["sums"] == "" {
		return nil, &BoardError{Reason: ErrNoChecksum}
	}
	if facts["init"] == string(Systemd) {
		board.Init = Systemd
	}
	board.Announces = board.has("/etc/avahi/services")
	var err error
	if text, there := facts["manifest"]; there {
		if board.manifest, err = parseManifest(text); err != nil {
			return nil, err
		}
	}
	board.Architecture, err = architectureOf(facts["machine"])
	return board, err
}

// cappedBuffer keeps the first 256 KiB and drops the rest.
type cappedBuffer struct{ bytes.Buffer }

func (b *cappedBuffer) Write(p []byte) (int, error) {
	if room := 256<<10 - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
