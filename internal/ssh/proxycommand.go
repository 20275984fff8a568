package ssh

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// How long a ProxyCommand may take to end: by itself at the end of its input,
// and once it is told to.
const (
	proxyFarewell = 200 * time.Millisecond
	proxyGrace    = time.Second
)

// proxyConn is the standard input and output of a ProxyCommand.
type proxyConn struct {
	command *exec.Cmd
	input   *os.File
	output  *os.File
	stderr  *tail
	ended   chan struct{}
	once    sync.Once
}

// startProxy runs the command in the person's shell, as ssh does.
func startProxy(line string, cfg Config) (*proxyConn, error) {
	shell := cfg.environment("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	p := &proxyConn{stderr: &tail{to: cfg.Stderr}, ended: make(chan struct{})}
	p.command = exec.Command(shell, "-c", "exec "+line) //nolint:noctx // the person's own configuration asks for it; it ends with the connection
	p.command.Stderr = p.stderr
	p.command.WaitDelay = proxyGrace
	if err := p.start(); err != nil {
		return nil, err
	}
	return p, nil
}

// start hands real files to the command: reading then goes on to the end of its
// output, also when it has ended.
func (p *proxyConn) start() error {
	in, input, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	output, out, err := os.Pipe()
	if err != nil {
		input.Close()
		return err
	}
	defer out.Close()
	p.command.Stdin, p.command.Stdout = in, out
	if err := p.command.Start(); err != nil {
		input.Close()
		output.Close()
		return err
	}
	p.input, p.output = input, output
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	return nil
}

// outcome is how the command ended, with its last words. The connection was
// closed before.
func (p *proxyConn) outcome() error {
	<-p.ended
	if words := p.stderr.String(); words != "" {
		return errors.New(words)
	}
	return errNoWords
}

var errNoWords = errors.New("it ended without a word")

// Read implements net.Conn.
func (p *proxyConn) Read(b []byte) (int, error) { return p.output.Read(b) }

// Write implements net.Conn.
func (p *proxyConn) Write(b []byte) (int, error) { return p.input.Write(b) }

// Close ends the command and waits until it has: most end by themselves at the
// end of their input, and may still say why.
func (p *proxyConn) Close() error {
	p.once.Do(func() {
		p.input.Close()
		if !p.endsWithin(proxyFarewell) {
			_ = p.command.Process.Signal(syscall.SIGHUP)
		}
		if !p.endsWithin(proxyGrace) {
			_ = p.command.Process.Kill()
			<-p.ended
		}
		p.output.Close()
	})
	return nil
}

func (p *proxyConn) endsWithin(patience time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(patience):
		return false
	}
}

// LocalAddr implements net.Conn; a pipe has none.
func (p *proxyConn) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr implements net.Conn; only the command knows it.
func (p *proxyConn) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline implements net.Conn.
func (p *proxyConn) SetDeadline(time.Time) error { return errNoDeadline }

// SetReadDeadline implements net.Conn.
func (p *proxyConn) SetReadDeadline(time.Time) error { return errNoDeadline }

// SetWriteDeadline implements net.Conn.
func (p *proxyConn) SetWriteDeadline(time.Time) error { return errNoDeadline }

var errNoDeadline = fmt.Errorf("a ProxyCommand has no deadlines: %w", errors.ErrUnsupported)

// maxTail is how much of a command's last words is kept.
const maxTail = 512

// tail passes text on and keeps the end of it.
type tail struct {
	to io.Writer // may be nil
	mu sync.Mutex
	b  []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-maxTail):]
	if t.to != nil {
		_, _ = t.to.Write(p)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
