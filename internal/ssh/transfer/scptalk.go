package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mbl/internal/ssh"
)

// scpTalk is one run of the device's scp.
type scpTalk struct {
	input  *io.PipeWriter
	output *bufio.Reader
	raw    *io.PipeReader
	stderr limitedBuffer // to be read once ended is closed
	ended  chan struct{}
	exit   int
	err    error
}

// startSCP starts scp on the device. The caller ends it with hangUp or finish.
func startSCP(ctx context.Context, conn *ssh.Client, flags, name string) *scpTalk {
	input, write := io.Pipe()
	raw, output := io.Pipe()
	t := &scpTalk{input: write, raw: raw, output: bufio.NewReaderSize(raw, 64<<10), ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		t.exit, t.err = conn.Run(ctx, ssh.Command{Line: "scp " + flags + " " + scpQuoted(name), Stdin: input, Stdout: output, Stderr: &t.stderr})
		end := t.err
		if end == nil {
			end = io.EOF
		}
		output.CloseWithError(end)
		input.CloseWithError(end)
	}()
	return t
}

// scpQuoted is a name as one word. One that needs no quotes gets none: what
// lets an account run scp and nothing else often takes words for what they are.
func scpQuoted(name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,@%", r))
	})
	if plain && name[0] != '-' {
		return name
	}
	return shellQuoted(name)
}

// say sends a message. That scp has ended is no error here: it may have said
// why before, and that is still to be read.
func (t *scpTalk) say(text string) error {
	_, err := io.WriteString(t.input, text)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// next reads the device's next message. What scp complains of is an error,
// a complaint.
func (t *scpTalk) next() (record, error) {
	r, err := readRecord(t.output)
	if err != nil {
		return r, t.why(err)
	}
	if r.kind == scpWarning || r.kind == scpFatal {
		return r, complained(r.said)
	}
	return r, nil
}

// agreed sends a message and waits until the device has carried it out.
func (t *scpTalk) agreed(text string) error {
	if err := t.say(text); err != nil {
		return err
	}
	return t.accepted()
}

func (t *scpTalk) accepted() error {
	r, err := t.next()
	if err == nil && r.kind != scpOK {
		return fmt.Errorf("%w: it sends %q for an answer", errRecord, r.kind)
	}
	return err
}

// why explains an end of what scp sends: by the end of scp, which is the
// reason.
func (t *scpTalk) why(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	_ = t.input.Close()
	<-t.ended
	if t.err != nil {
		return t.err
	}
	return fmt.Errorf("%w: its scp ended with exit status %d: %q", errRecord, t.exit, strings.TrimSpace(t.stderr.String()))
}

// finish ends a copy that has gone well and waits for scp to say so too.
func (t *scpTalk) finish() error {
	_ = t.input.Close()
	if r, err := readRecord(t.output); err == nil {
		return complaintOf(r)
	}
	<-t.ended
	if t.err != nil {
		return t.err
	}
	if t.exit != 0 {
		return t.why(io.EOF)
	}
	return nil
}

// complaintOf is what a message means where none can come.
func complaintOf(r record) error {
	if r.said != "" {
		return complained(r.said)
	}
	return fmt.Errorf("%w: something follows the end", errRecord)
}

// hangUp ends scp, whatever it does: politely first.
func (t *scpTalk) hangUp() {
	_ = t.input.Close()
	go func() { _, _ = io.Copy(io.Discard, io.LimitReader(t.raw, longestRecord)); _ = t.raw.Close() }()
	select {
	case <-t.ended:
	case <-time.After(ctrlCGrace):
		_ = t.raw.CloseWithError(errRecord) // its next output ends the session
	}
}

// complained gives what scp says of a file, "scp: NAME: REASON", this
// package's name.
func complained(said string) error {
	at := strings.LastIndex(said, ": ") + 1
	err := saidError(said[at:], fmt.Errorf("its scp says %q", said))
	return &complaint{said: said, cause: err}
}

// complaint is an error that the device's scp told of.
type complaint struct {
	said  string
	cause error
}

func (c *complaint) Error() string { return c.cause.Error() }

func (c *complaint) Unwrap() error { return c.cause }

// notRegular tells whether scp says that something is neither file nor folder.
func (c *complaint) notRegular() bool { return strings.HasSuffix(c.said, ": not a regular file") }

// about is the name in the complaint, without its folder.
func (c *complaint) about() string {
	name := strings.TrimPrefix(c.said, "scp: ")
	if at := strings.LastIndex(name, ": "); at >= 0 {
		name = name[:at]
	}
	return name[strings.LastIndexByte(name, '/')+1:]
}
