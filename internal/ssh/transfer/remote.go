package transfer

import (
	"bytes"
	"context"
	"path"
	"regexp"
	"strings"

	"mbl/internal/ssh"
)

// remoteNames takes the device's names apart.
type remoteNames struct{}

func (remoteNames) join(folder, name string) string { return path.Join(folder, name) }

func (remoteNames) split(name string) (folder, base string) {
	own := !strings.HasSuffix(name, "/.")
	name = path.Clean(name)
	base = path.Base(name)
	if !own || base == "." || base == ".." || base == "/" {
		return name, ""
	}
	return path.Dir(name), base
}

// digester computes checksums on the device with its sha256sum.
type digester struct{ conn *ssh.Client }

// longestLine bounds the names of one command: a kernel takes 128 KiB.
const longestLine = 64 << 10

var sumLine = regexp.MustCompile(`^\\?([0-9a-f]{64}) `)

// sums implements files. Without names it only finds out whether there is a
// way to compute them.
func (d digester) sums(ctx context.Context, names []string) ([]string, error) {
	if len(names) == 0 {
		_, err := d.sumsOf(ctx, []string{"/dev/null"})
		return nil, err
	}
	sums := make([]string, 0, len(names))
	for len(names) > 0 {
		n := firstBatch(names)
		some, err := d.sumsOf(ctx, names[:n])
		if err != nil {
			return nil, err
		}
		sums, names = append(sums, some...), names[n:]
	}
	return sums, nil
}

// firstBatch is how many names go into one command: at least one.
func firstBatch(names []string) int {
	length := 0
	for i, name := range names {
		length += len(shellQuoted(name)) + 1
		if i > 0 && length > longestLine {
			return i
		}
	}
	return len(names)
}

func (d digester) sumsOf(ctx context.Context, names []string) ([]string, error) {
	line := "sha256sum"
	for _, name := range names {
		line += " " + shellQuoted(name)
	}
	var output bytes.Buffer
	exit, err := d.conn.Run(ctx, ssh.Command{Line: line, Stdout: &output})
	if err != nil {
		return nil, err
	}
	var sums []string
	for line := range strings.Lines(output.String()) {
		if found := sumLine.FindStringSubmatch(line); found != nil {
			sums = append(sums, found[1])
		}
	}
	if exit != 0 || len(sums) != len(names) {
		return nil, errNoSums
	}
	return sums, nil
}

// shellQuoted makes a name one word of a shell, and never an option.
func shellQuoted(name string) string {
	if strings.HasPrefix(name, "-") {
		name = "./" + name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
