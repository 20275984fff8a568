package transfer

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"

	"mbl/internal/ssh"
)

// digester computes checksums on the device. It has a shell of its own, which
// is started while the first file is on its way, and works beside the copy.
type digester struct {
	conn *ssh.Client

	mu   sync.Mutex
	talk *conversation // nil: not started
}

// longestLine bounds the names of one command: a kernel takes 128 KiB.
const longestLine = 64 << 10

// sumScript takes OpenSSL where a board has it: coreutils and BusyBox do not
// use a processor's instructions for SHA-256, and take five times as long.
const sumScript = `sums=$(openssl dgst -sha256 -r "$@" 2>/dev/null) && printf '%s\n' "$sums" || exec sha256sum "$@"`

var sumLine = regexp.MustCompile(`^\\?([0-9a-f]{64}) `)

// sums implements files. Without names it only finds out whether there is a
// way to compute them.
func (d *digester) sums(ctx context.Context, names []string) ([]string, error) {
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

func (d *digester) sumsOf(ctx context.Context, names []string) ([]string, error) {
	output, err := d.ask(ctx, names)
	if err != nil {
		return nil, err
	}
	var sums []string
	for line := range strings.Lines(output) {
		if found := sumLine.FindStringSubmatch(line); found != nil {
			sums = append(sums, found[1])
		}
	}
	if len(sums) != len(names) {
		return nil, errNoSums
	}
	return sums, nil
}

// ask returns as soon as ctx ends, though the device may compute on.
func (d *digester) ask(ctx context.Context, names []string) (string, error) {
	type answer struct {
		output string
		err    error
	}
	answered := make(chan answer, 1)
	talk := d.shell(ctx)
	go func() {
		output, err := talk.ask(ctx, sumScript, names...)
		answered <- answer{output, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case a := <-answered:
		var failed *exitError
		if errors.As(a.err, &failed) || errors.Is(a.err, ssh.ErrExec) {
			return "", errNoSums
		}
		return a.output, a.err
	}
}

func (d *digester) shell(ctx context.Context) *conversation {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talk == nil {
		d.talk = converse(ctx, d.conn)
	}
	return d.talk
}

// close ends the shell.
func (d *digester) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talk != nil {
		d.talk.close()
	}
}
