package ssh

import (
	"errors"
	"io"

	"golang.org/x/crypto/ssh"
)

// input is what a command reads. The command's end does not wait for it: at a
// terminal a read would last until the next key.
type input struct {
	session *ssh.Session
	from    io.Reader
	to      io.WriteCloser
	failed  chan error // the error of from, if it had one
}

// feed prepares a session's standard input; nil is empty.
func feed(session *ssh.Session, from io.Reader) (*input, error) {
	in := &input{session: session, from: from, failed: make(chan error, 1)}
	if from == nil {
		return in, nil
	}
	var err error
	in.to, err = session.StdinPipe()
	return in, err
}

func (in *input) start() {
	if in.from != nil {
		go in.pass()
	}
}

// pass ends the session when from cannot be read: to end its input only would
// look as if that was all.
func (in *input) pass() {
	source := &watchedReader{r: in.from}
	_, _ = io.Copy(in.to, source)
	if source.err != nil {
		in.failed <- source.err
		_ = in.session.Close()
		return
	}
	_ = in.to.Close()
}

// failure is the error of the reader, if it had one.
func (in *input) failure() error {
	select {
	case err := <-in.failed:
		return err
	default:
		return nil
	}
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
