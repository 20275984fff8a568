package lan

import (
	_ "embed" // the board's own script
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mbl/e2e/stage"
)

// boardPassword is root's on a board that wants one.
const boardPassword = "board-password"

//go:embed board.sh
var boardScript []byte

// Board says what board to start.
type Board struct {
	Name   string // host name, also the one it announces
	Server string // "openssh" or "dropbear"
	Login  string // "key", "password" or "none"
	Device string // our program, which it has as mbl-device; empty: a bare board
	Silent bool   // nothing there does multicast DNS
	Util   string // the same under its other name, pelion-provisioning-util
}

// RunningBoard is a board that was started. The LAN stops it.
type RunningBoard struct {
	*stage.Process
	board Board
	root  string
}

// Path is where a file of the board lies on this machine.
func (b *RunningBoard) Path(inside string) string { return filepath.Join(b.root, inside) }

// BoardPath is where a file of the board will lie on this machine. What lies
// there before the board starts is on it.
func (l *LAN) BoardPath(inside string) string { return filepath.Join(l.dir, "board", inside) }

// StartBoard starts a board at the other end of the cable.
func (l *LAN) StartBoard(board Board) (*RunningBoard, error) {
	b := &RunningBoard{board: board, root: l.BoardPath("")}
	if err := b.install(); err != nil {
		return nil, err
	}
	script := filepath.Join(l.dir, "board.sh")
	if err := os.WriteFile(script, boardScript, 0o600); err != nil {
		return nil, err
	}
	// A process name space of its own: when unshare is killed, all in it are.
	command := []string{
		"unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child",
		"sh", script, b.root, board.Server, board.Login, board.Name,
	}
	var err error
	b.Process, err = stage.Start("board", command, stage.Options{Dir: l.dir, Under: []string{"ip", "netns", "exec", l.board}})
	if err != nil {
		return nil, err
	}
	l.running = append(l.running, b.Kill)
	return b, nil
}

// install puts our program where boards have it, under both its names.
func (b *RunningBoard) install() error {
	hash, err := run("openssl", "passwd", "-6", boardPassword)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.root, 0o755); err != nil {
		return err
	}
	if b.board.Silent {
		if err := os.WriteFile(b.Path("silent"), nil, 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(b.Path("password-hash"), []byte(hash), 0o600); err != nil || b.board.Device == "" {
		return err
	}
	for _, dir := range []string{"opt/arm", "scratch", "var/lib/mbl-device"} {
		if err := os.MkdirAll(b.Path(dir), 0o755); err != nil {
			return err
		}
	}
	for name, program := range map[string]string{"mbl-device": b.board.Device, "pelion-provisioning-util": b.board.Util} {
		if _, err := run("cp", program, b.Path("opt/arm/"+name)); err != nil {
			return err
		}
	}
	return nil
}

// LetIn gives the developer what the board's login wants: a key pair of which
// the board knows the public half. Other logins want nothing beforehand.
func (b *RunningBoard) LetIn(w *stage.Workstation) error {
	if b.board.Login != "key" {
		return nil
	}
	key := filepath.Join(w.Home, ".ssh", "id_ed25519")
	if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
		return err
	}
	if _, err := run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key); err != nil {
		return err
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.Path("root/.ssh"), 0o700); err != nil { // it may be starting still
		return err
	}
	return os.WriteFile(b.Path("root/.ssh/authorized_keys"), public, 0o600)
}

// Choose writes ~/.mbl-dev.json as `mbl-cli select` does for a person, with
// the board's password if it has one.
func (b *RunningBoard) Choose(w *stage.Workstation, address string) error {
	password := ""
	if b.board.Login == "password" {
		password = boardPassword
	}
	selection := fmt.Sprintf(`{"hostname": %q, "address": %q, "username": "root", "password": %q}`, b.board.Name, address, password)
	return os.WriteFile(filepath.Join(w.Home, ".mbl-dev.json"), []byte(selection), 0o600)
}

// Log is what the device program on the board has said.
func (b *RunningBoard) Log() string {
	content, err := os.ReadFile(b.Path("var/log/mbl-device.log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(content))
}
