package transfer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"mbl/internal/ssh"
	"mbl/internal/ssh/posixsh"
)

// shellDevice reaches the device's files through the shell of the account,
// with what POSIX and BusyBox have: ls, cat, tail, dd, chmod, mv, ln.
type shellDevice struct {
	*digester
	remoteNames
	talk *conversation
}

var (
	_ device   = (*shellDevice)(nil)
	_ appender = (*shellDevice)(nil)
)

// openShell makes sure that there is a shell. What its start-up files print
// comes first in every output.
func openShell(ctx context.Context, conn *ssh.Client) (*shellDevice, error) {
	var output posixsh.Output
	var said limitedBuffer
	exit, err := conn.Run(ctx, ssh.Command{Line: "echo mbl", Stdout: &output, Stderr: &said})
	if err != nil {
		return nil, err
	}
	answer := strings.TrimSpace(output.String())
	if exit != 0 || !strings.HasSuffix(answer, "mbl") {
		return nil, fmt.Errorf("%w: it offers no SFTP, and its shell answers %q", ssh.ErrExec, strings.TrimSpace(answer+said.String()))
	}
	return &shellDevice{digester: &digester{conn: conn}, talk: converse(ctx, conn)}, nil
}

func (d *shellDevice) way() string { return "shell" }

// Close implements io.Closer.
func (d *shellDevice) Close() error {
	d.digester.close()
	d.talk.close()
	return nil
}

// run runs a script that takes or gives data; args are its $1, $2 and so on.
// stdout gets the script's output alone.
func (d *shellDevice) run(ctx context.Context, script string, stdin io.Reader, stdout io.Writer, args ...string) error {
	mark := posixsh.NewMark()
	if stdout != nil {
		script = `printf %s "$0"; ` + script
		stdout = &afterMark{mark: []byte(mark), to: stdout}
	}
	line := "LC_ALL=C exec sh -c " + shellQuoted(script) + " " + mark
	for _, arg := range args {
		line += " " + shellQuoted(arg)
	}
	var stderr limitedBuffer
	exit, err := d.conn.Run(ctx, ssh.Command{Line: line, Stdin: stdin, Stdout: stdout, Stderr: &stderr})
	if err != nil {
		return err
	}
	if exit != 0 {
		return shellError(exit, stderr.String())
	}
	return nil
}

// shellError understands what the tools say of a failed system call; the
// words are those of the C library, in every one of them.
func shellError(exit int, said string) error {
	return saidError(said, &exitError{exit, strings.TrimSpace(said)})
}

// exitError is a command that ran and failed.
type exitError struct {
	status int
	said   string
}

func (e *exitError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("%v: it ended with exit status %d", ErrCommand, e.status)
	}
	return fmt.Sprintf("%v: %s", ErrCommand, e.said)
}

func (e *exitError) Unwrap() error { return ErrCommand }

// saidError gives a cause this package's name by the words it was told in.
func saidError(said string, cause error) error {
	said = strings.ToLower(said)
	for _, known := range []struct {
		text string
		name error
	}{
		{"no space left", ErrNoSpace},
		{"quota exceeded", ErrNoSpace},
		{"read-only file system", ErrReadOnly},
		{"permission denied", ErrDenied},
		{"not permitted", ErrDenied},
		{"name too long", ErrNameLong},
		{"input/output error", ErrDisk},
		{"i/o error", ErrDisk},
		{"no such file", fs.ErrNotExist},
		{"file exists", fs.ErrExist},
		{"ot a directory", ErrNoFolder},
		{"s a directory", ErrInTheWay},
	} {
		if strings.Contains(said, known.text) {
			return &reason{known.name, cause}
		}
	}
	return cause
}

// describe prints, for the name in $f, what ls says of it, its name and where
// a link leads, each ended by a NUL. The dot keeps line ends that $() would
// take away. ls shows a name last, so its first fields can be relied on.
const describe = `describe() {
	line=$(ls -ldn "$f") || exit
	set -- $line
	link=.
	case $1 in l*) link=$(readlink "$f"; echo .) || exit ;; esac
	printf '%s %s\0%s\0%s\0' "$1" "$5" "$f" "$link"
}
set -f
`

func (d *shellDevice) stat(ctx context.Context, name string) (entry, error) {
	entries, err := d.describe(ctx, `f=$1/.
[ -d "$f" ] || { f=$1; [ -L "$f" ] && { f=$(readlink -f "$f") || { echo "No such file" >&2; exit 1; }; }; }
describe`, name)
	if err != nil {
		return entry{}, err
	}
	if len(entries) != 1 {
		return entry{}, fmt.Errorf("%w: the device describes %d files in place of one", ssh.ErrExec, len(entries))
	}
	entries[0].name = path.Base(name)
	return entries[0], nil
}

func (d *shellDevice) list(ctx context.Context, folder string) ([]entry, error) {
	// Whoever may not read the folder sees no names and no error in a loop.
	return d.describe(ctx, `cd "$1" && ls -a . >/dev/null || exit
set +f
for f in * .[!.]* ..?*; do
	[ -e "$f" ] || [ -L "$f" ] || continue
	f=./$f; set -f; describe; set +f
done`, folder)
}

func (d *shellDevice) describe(ctx context.Context, script, name string) ([]entry, error) {
	output, err := d.talk.ask(ctx, describe+script, name)
	if err != nil {
		return nil, err
	}
	return parseDescriptions(output)
}

// parseDescriptions reads what describe prints.
func parseDescriptions(output string) ([]entry, error) {
	fields := strings.Split(output, "\x00")
	if len(fields)%3 != 1 || fields[len(fields)-1] != "" {
		return nil, ErrAnswer
	}
	var entries []entry
	for i := 0; i+3 <= len(fields); i += 3 {
		e, err := parseDescription(fields[i])
		if err != nil {
			return nil, err
		}
		e.name = strings.TrimPrefix(fields[i+1], "./")
		if e.mode&fs.ModeSymlink != 0 {
			e.target = strings.TrimSuffix(strings.TrimSuffix(fields[i+2], "."), "\n")
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// parseDescription reads "-rw-r--r-- 123", as POSIX says ls -l writes it.
func parseDescription(text string) (entry, error) {
	letters, size, _ := strings.Cut(text, " ")
	if len(letters) < 10 {
		return entry{}, ErrAnswer
	}
	types := map[byte]fs.FileMode{
		'-': 0, 'd': fs.ModeDir, 'l': fs.ModeSymlink, 'p': fs.ModeNamedPipe, 's': fs.ModeSocket,
		'b': fs.ModeDevice, 'c': fs.ModeDevice | fs.ModeCharDevice,
	}
	mode, known := types[letters[0]]
	if !known {
		mode = fs.ModeIrregular
	}
	for i, letter := range letters[1:10] {
		if strings.ContainsRune("rwxst", letter) { // S and T: without the x below them
			mode |= 1 << (8 - i)
		}
	}
	e := entry{mode: mode}
	if !mode.IsRegular() {
		return e, nil // devices have two numbers in place of a size
	}
	var err error
	if e.size, err = strconv.ParseInt(size, 10, 64); err != nil || e.size < 0 {
		return entry{}, ErrAnswer
	}
	return e, nil
}

func (d *shellDevice) mkdir(ctx context.Context, folder string) error {
	_, err := d.talk.ask(ctx, `mkdir -m 700 "$1"`, folder)
	return err
}

func (d *shellDevice) chmod(ctx context.Context, name string, mode fs.FileMode) error {
	_, err := d.talk.ask(ctx, `chmod "$2" "$1"`, name, octal(mode))
	return err
}

func octal(mode fs.FileMode) string { return fmt.Sprintf("%03o", mode.Perm()) }

func (d *shellDevice) symlink(ctx context.Context, target, name string) error {
	// The target is no file name here: nothing may be put before its dash.
	_, err := d.talk.ask(ctx, `if [ -L "$1" ]; then rm -f "$1" || exit; fi
[ ! -e "$1" ] || { echo "File exists" >&2; exit 1; }
ln -s -- "${2#=}" "$1"`, name, "="+target)
	return err
}

func (d *shellDevice) rename(ctx context.Context, from, to string) error {
	_, err := d.talk.ask(ctx, `[ ! -d "$2" ] || { echo "Is a directory" >&2; exit 1; }
mv -f "$1" "$2"`, from, to)
	return err
}

func (d *shellDevice) remove(ctx context.Context, name string) error {
	_, err := d.talk.ask(ctx, `rm "$1"`, name)
	return err
}

func (d *shellDevice) read(ctx context.Context, name string, from int64, w io.Writer) error {
	if from == 0 {
		return d.run(ctx, `exec cat "$1"`, nil, w, name)
	}
	return d.run(ctx, `exec tail -c "+$2" "$1"`, nil, w, name, strconv.FormatInt(from+1, 10))
}

func (d *shellDevice) write(ctx context.Context, name string, at int64, mode fs.FileMode, r io.Reader) error {
	script := `umask 077; : > "$1"`
	if at > 0 { // POSIX: dd makes its output end where it begins to write
		script = `umask 077; dd if=/dev/null of="$1" bs=1 seek="$3" 2>/dev/null`
	}
	return d.run(ctx, script+` && chmod "$2" "$1" && exec cat >> "$1"`, r, nil, name, octal(mode), strconv.FormatInt(at, 10))
}

// limitedBuffer keeps the beginning of what is written to it.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	const most = 4 << 10
	if room := most - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
