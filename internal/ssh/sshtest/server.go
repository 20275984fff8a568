// Package sshtest is an SSH server in the test's own process, for the ways in
// which real servers misbehave too seldom to test with.
package sshtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Server is a running server. Its exported fields are set before Start.
type Server struct {
	HostKey ssh.Signer
	Auth    ssh.ServerConfig

	// Run is the device's shell: it gets the command and its streams, and
	// returns the exit status.
	Run func(line string, stdin io.Reader, stdout, stderr io.Writer) uint32

	// SFTP serves the subsystem of that name; nil: there is none.
	SFTP func(stream io.ReadWriteCloser)

	mu    sync.Mutex
	conns []net.Conn
	addr  string
}

// NewKey makes a key.
func NewKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Start listens on loopback until the test ends and returns the address.
func (s *Server) Start(t testing.TB) string {
	t.Helper()
	if s.HostKey == nil {
		s.HostKey = NewKey(t)
	}
	s.Auth.AddHostKey(s.HostKey)
	s.addr = Listen(t, s.serve)
	return s.addr
}

// Listen calls serve for each connection to the address it returns, until the
// test ends.
func Listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var conns sync.Map
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, true)
			running.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		conns.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		running.Wait()
	})
	return listener.Addr().String()
}

// DropAll cuts every connection, as a pulled cable would in the end.
func (s *Server) DropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
}

func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	s.mu.Lock()
	s.conns = append(s.conns, conn)
	s.mu.Unlock()
	login, channels, requests, err := ssh.NewServerConn(conn, &s.Auth)
	if err != nil {
		return
	}
	defer login.Close()
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go s.session(channel, requests)
	}
}

func (s *Server) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	for request := range requests {
		var asked struct{ Text string } // a command or a subsystem
		known := ssh.Unmarshal(request.Payload, &asked) == nil
		switch {
		case known && request.Type == "exec" && s.Run != nil:
			_ = request.Reply(true, nil)
			go func() {
				defer channel.Close()
				status := s.Run(asked.Text, channel, channel, channel.Stderr())
				_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
			}()
		case known && request.Type == "subsystem" && asked.Text == "sftp" && s.SFTP != nil:
			_ = request.Reply(true, nil)
			go func() {
				defer channel.Close()
				s.SFTP(channel)
			}()
		default:
			_ = request.Reply(false, nil)
		}
	}
}
