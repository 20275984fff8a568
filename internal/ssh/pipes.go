package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// pipes are the streams of a command that is running. One that fails ends the
// session: a device that cannot get rid of its output would wait for ever, and
// input that stops would look as if it was all.
type pipes struct {
	session *ssh.Session
	failed  chan error // the first failure
	outputs []*watchedWriter
}

func newPipes(session *ssh.Session) *pipes {
	return &pipes{session: session, failed: make(chan error, 1)}
}

func (p *pipes) fail(err error) {
	select {
	case p.failed <- err:
	default:
	}
	_ = p.session.Close()
}

// wait returns the command's exit status, or why it cannot be told. After a
// failure it does not wait for the device, which may never answer.
func (p *pipes) wait(ctx context.Context) (int, error) {
	ended := make(chan error, 1)
	go func() { ended <- p.session.Wait() }()
	var failure, end error
	select {
	case failure = <-p.failed:
	case end = <-ended:
		select {
		case failure = <-p.failed:
		default:
		}
	}
	if failure != nil && ctx.Err() == nil {
		return 0, fmt.Errorf("cannot pass the command's data on: %w", failure)
	}
	return exitStatus(ctx, end)
}

// output is a command's way to w; nil drops it.
func (p *pipes) output(w io.Writer) io.Writer {
	if w == nil {
		return nil
	}
	watched := &watchedWriter{w: w, pipes: p}
	p.outputs = append(p.outputs, watched)
	return watched
}

// seal ends all writing: what the device still sends after wait has given up
// on it must not reach writers that their owner reads by then.
func (p *pipes) seal() {
	for _, output := range p.outputs {
		output.seal()
	}
}

type watchedWriter struct {
	w     io.Writer
	pipes *pipes

	mu     sync.Mutex
	sealed bool
}

func (w *watchedWriter) seal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sealed = true
}

// Write implements io.Writer.
func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.write(p)
	if err != nil {
		w.pipes.fail(err)
	}
	return n, err
}

func (w *watchedWriter) write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sealed {
		return 0, io.ErrClosedPipe
	}
	return w.w.Write(p)
}

// input returns what passes r on once the command runs; nil is empty. The
// command's end does not wait for it: at a terminal a read would last until
// the next key. A pipe is closed with io.EOF when the command takes no more,
// so that whoever writes into it can turn to what the command has said.
func (p *pipes) input(r io.Reader) (start func(), err error) {
	if r == nil {
		return func() {}, nil
	}
	to, err := p.session.StdinPipe()
	return func() { go p.pass(to, r) }, err
}

func (p *pipes) pass(to io.WriteCloser, from io.Reader) {
	source := &watchedReader{r: from}
	_, err := io.Copy(to, source)
	if source.err != nil {
		p.fail(source.err)
		return
	}
	if pipe, ok := from.(*io.PipeReader); ok && err != nil {
		_ = pipe.CloseWithError(io.EOF)
	}
	_ = to.Close()
}

// watchedReader keeps the error of a reader apart from that of the writer it
// is copied to.
type watchedReader struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
