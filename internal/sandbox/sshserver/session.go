package sshserver

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"mbl/internal/sandbox/shell"
)

// session is one channel: some requests that prepare it, then one that starts
// a command, a shell or SFTP (RFC 4254 section 6).
type session struct {
	server  *Server
	channel ssh.Channel
	sizes   chan shell.Size
	pty     bool
	started bool
	stop    context.CancelFunc
}

func (s *Server) serveSession(ctx context.Context, channel ssh.Channel, requests <-chan *ssh.Request) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	one := &session{server: s, channel: channel, sizes: make(chan shell.Size, 1), stop: stop}
	done := make(chan struct{})
	for request := range requests {
		ok, work := one.handle(request)
		if request.WantReply && request.Reply(ok, nil) != nil {
			break
		}
		if work != nil { // after the answer, which cannot follow the end of a short command
			one.start(ctx, work, done)
		}
	}
	// No more requests: the channel or the connection is gone.
	stop()
	close(one.sizes)
	if one.started {
		<-done
	}
}

// handle takes in a request and returns what it starts, if anything.
func (s *session) handle(request *ssh.Request) (ok bool, work func(context.Context) int) {
	work = s.prepare(request)
	if work == nil {
		return s.note(request), nil
	}
	if s.started {
		return false, nil
	}
	return true, work
}

// start closes done when the work has ended.
func (s *session) start(ctx context.Context, work func(context.Context) int, done chan<- struct{}) {
	s.started = true
	go func() {
		defer close(done)
		s.exit(work(ctx))
	}()
}

// prepare returns what the request starts, nil if it starts nothing.
func (s *session) prepare(request *ssh.Request) func(context.Context) int {
	switch request.Type {
	case "shell":
		return s.shell
	case "exec":
		var exec struct{ Line string }
		if ssh.Unmarshal(request.Payload, &exec) == nil {
			return func(ctx context.Context) int { return s.exec(ctx, exec.Line) }
		}
	case "subsystem":
		var subsystem struct{ Name string }
		if ssh.Unmarshal(request.Payload, &subsystem) == nil && subsystem.Name == "sftp" {
			return s.sftp
		}
	}
	return nil
}

// note takes in the requests that only tell something.
func (s *session) note(request *ssh.Request) bool {
	switch request.Type {
	case "pty-req":
		var pty struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}
		if ssh.Unmarshal(request.Payload, &pty) != nil {
			return false
		}
		s.pty = true
		s.resize(pty.Columns, pty.Rows)
		return true
	case "window-change":
		var size struct{ Columns, Rows, Width, Height uint32 }
		if ssh.Unmarshal(request.Payload, &size) != nil {
			return false
		}
		s.resize(size.Columns, size.Rows)
		return true
	case "signal":
		var signal struct{ Name string }
		if ssh.Unmarshal(request.Payload, &signal) == nil && slices.Contains([]string{"HUP", "INT", "TERM", "KILL"}, signal.Name) {
			s.stop()
			return true
		}
	}
	return false
}

// resize keeps the newest size for whoever wants to know.
func (s *session) resize(columns, rows uint32) {
	select {
	case <-s.sizes:
	default:
	}
	s.sizes <- shell.Size{Columns: int(columns), Rows: int(rows)}
}

func (s *session) shell(ctx context.Context) int {
	if s.pty {
		return s.server.shell.Interactive(ctx, s.channel, s.sizes)
	}
	return s.server.shell.RunScript(ctx, s.stdio())
}

func (s *session) exec(ctx context.Context, line string) int {
	if s.pty {
		return s.server.shell.RunOnTerminal(ctx, line, s.channel)
	}
	return s.server.shell.Run(ctx, line, s.stdio())
}

func (s *session) stdio() shell.Stdio {
	return shell.Stdio{In: s.channel, Out: s.channel, Err: s.channel.Stderr()}
}

func (s *session) sftp(ctx context.Context) int {
	release := context.AfterFunc(ctx, func() { s.channel.Close() })
	defer release()
	server := sftp.NewRequestServer(keptOpen{s.channel}, fileHandlers(s.server.shell.Tree), sftp.WithStartDirectory("/home/root"))
	defer server.Close()
	if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) {
		s.server.log.Debug("SFTP ended", "error", err)
		return 1
	}
	return 0
}

// keptOpen keeps the SFTP server from closing the channel before the exit
// status is told.
type keptOpen struct{ ssh.Channel }

func (keptOpen) Close() error { return nil }

// exit tells the status and closes the channel. Errors mean that nobody is
// there any more.
func (s *session) exit(status int) {
	payload := ssh.Marshal(struct{ Status uint32 }{uint32(status)})
	_, _ = s.channel.SendRequest("exit-status", false, payload)
	_ = s.channel.Close()
}
