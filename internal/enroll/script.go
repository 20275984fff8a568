package enroll

import (
	_ "embed" // the scripts
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mbl/internal/ssh/posixsh"
)

//go:embed look.sh
var lookFunctions string

//go:embed change.sh
var changeFunctions string

func lookScript(root, mark string, paths []string) string {
	return fmt.Sprintf("%s\nmbl_main() {\nmark=%s root=%s manifest=%s\nmbl_look %s\nexit 0\n}\nmbl_main\n",
		lookFunctions, posixsh.Quote(mark), posixsh.Quote(root), posixsh.Quote(manifestFile), strings.Join(paths, " "))
}

// installScript puts a plan into effect. The program, if it is part of it, is
// read from standard input, and nothing else is.
func (p *plan) installScript(mark string) string {
	var body strings.Builder
	for _, dir := range p.dirs {
		fmt.Fprintf(&body, "mbl_mkdir 755 %s\n", dir)
	}
	for _, i := range slices.Concat([]item{p.manifest}, p.stage) {
		body.WriteString(i.stageLine())
	}
	fmt.Fprintf(&body, "mbl_place\nmbl_start %s\n", p.board.Init)
	return p.board.changeScript(mark, body.String())
}

func (i item) stageLine() string {
	switch {
	case i.isLink():
		return fmt.Sprintf("mbl_stage_link %s %s\n", i.path, i.target)
	case i.binary:
		return fmt.Sprintf("mbl_stage %o %s %s\nmbl_try %s\n", i.mode, i.path, i.sum, i.path)
	default:
		return fmt.Sprintf("mbl_stage %o %s %s <<'MBL_END'\n%sMBL_END\n", i.mode, i.path, i.sum, i.content)
	}
}

// undoScript takes away what the manifest names, and the manifest last.
func (b *Board) undoScript(mark string) string {
	var body strings.Builder
	fmt.Fprintf(&body, "mbl_stop %s\n", b.manifest.init)
	for _, i := range slices.Backward(b.manifest.items) {
		if i.isLink() {
			fmt.Fprintf(&body, "mbl_remove_link %s %s\n", i.path, posixsh.Quote(i.target))
		} else {
			fmt.Fprintf(&body, "mbl_remove %s %s\n", i.path, posixsh.Quote(i.sum))
		}
	}
	if b.manifest.init == Systemd {
		body.WriteString("mbl_systemd gone >/dev/null 2>&1\n")
	}
	if slices.Contains(b.manifest.dirs, stateDir) {
		fmt.Fprintf(&body, "mbl_remove_tree %s\n", stateDir)
	}
	fmt.Fprintf(&body, "rm -f \"$root%s\" || mbl_problem write %s\n", manifestFile, manifestFile)
	for _, dir := range slices.Backward(b.manifest.dirs) {
		fmt.Fprintf(&body, "mbl_rmdir %s\n", dir)
	}
	return b.changeScript(mark, body.String())
}

func (b *Board) changeScript(mark, body string) string {
	before := ""
	if b.manifest != nil {
		before = "1"
	}
	return fmt.Sprintf("%s\nmbl_main() {\nmark=%s root=%s state=%s before=%s\nmbl_begin\n%smbl_done\nexit 0\n}\nmbl_main\n",
		changeFunctions, posixsh.Quote(mark), posixsh.Quote(b.root), posixsh.Quote(stateDir), posixsh.Quote(before), body)
}

// commandLine runs a script of this length that comes first on standard input;
// what follows it is left for the script. A byte at a time: whoever reads more
// takes the program's first bytes along.
func (b *Board) commandLine(length int) string {
	line := "sh -c " + posixsh.Quote(`eval "$(dd bs=1 count=`+strconv.Itoa(length)+` 2>/dev/null)"`)
	if b.Root {
		return line
	}
	return b.Become + " -n " + line
}
