// Package sshserver is a virtual device's SSH server: commands, scripts and
// terminals go to the sandbox's shell, files to the device's tree by SFTP. It
// forwards nothing. It lets anybody in where it is told to, as a development
// board does, so whoever starts it listens on loopback only.
package sshserver

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"

	"mbl/internal/sandbox/shell"
	"mbl/internal/secret"
)

// user is the only one a device knows.
const user = "root"

// Config is what a Server needs.
type Config struct {
	Shell   *shell.Shell
	HostKey ssh.Signer
	// Password and AuthorizedKeys are the ways to log in. Without any of them
	// there is no need to: root comes in with the method "none".
	Password       secret.Text
	AuthorizedKeys []ssh.PublicKey
	Log            *slog.Logger
}

// Server serves SSH connections.
type Server struct {
	shell *shell.Shell
	log   *slog.Logger
	ssh   *ssh.ServerConfig
}

// New makes a server.
func New(cfg Config) *Server {
	return &Server{shell: cfg.Shell, log: cfg.Log, ssh: serverConfig(cfg)}
}

var errLogin = errors.New("login refused")

func serverConfig(cfg Config) *ssh.ServerConfig {
	server := &ssh.ServerConfig{MaxAuthTries: 6, ServerVersion: "SSH-2.0-mbl_sandbox"}
	server.AddHostKey(cfg.HostKey)
	if cfg.Password.Empty() && len(cfg.AuthorizedKeys) == 0 {
		server.NoClientAuth = true
		server.NoClientAuthCallback = func(conn ssh.ConnMetadata) (*ssh.Permissions, error) {
			return nil, allowIf(conn.User() == user)
		}
		return server
	}
	if !cfg.Password.Empty() {
		server.PasswordCallback = func(conn ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			same := subtle.ConstantTimeCompare(given, []byte(cfg.Password.Reveal())) == 1
			return nil, allowIf(same && conn.User() == user)
		}
	}
	if len(cfg.AuthorizedKeys) > 0 {
		server.PublicKeyCallback = func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			return nil, allowIf(conn.User() == user && contains(cfg.AuthorizedKeys, key))
		}
	}
	return server
}

func allowIf(allowed bool) error {
	if allowed {
		return nil
	}
	return errLogin
}

func contains(keys []ssh.PublicKey, key ssh.PublicKey) bool {
	for _, known := range keys {
		if bytes.Equal(known.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// Serve serves connections until ctx ends, then closes them and the listener
// and waits for what runs.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	release := context.AfterFunc(ctx, func() { listener.Close() })
	defer release()
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot accept an SSH connection: %w", err)
		}
		connections.Go(func() { s.serveConn(ctx, conn) })
	}
}

func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ctx, hangup := context.WithCancel(ctx)
	defer hangup()
	release := context.AfterFunc(ctx, func() { conn.Close() })
	defer release()
	client, channels, requests, err := ssh.NewServerConn(conn, s.ssh)
	if err != nil {
		s.log.Debug("SSH login failed", "from", conn.RemoteAddr(), "error", err)
		return
	}
	s.log.Debug("SSH connection", "from", client.RemoteAddr(), "client", string(client.ClientVersion()))
	go ssh.DiscardRequests(requests)
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer hangup()
	for offered := range channels {
		if offered.ChannelType() != "session" {
			s.refuse(offered)
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			continue
		}
		sessions.Go(func() { s.serveSession(ctx, channel, requests) })
	}
}

func (s *Server) refuse(offered ssh.NewChannel) {
	if err := offered.Reject(ssh.Prohibited, "a virtual device forwards nothing"); err != nil {
		s.log.Debug("cannot refuse an SSH channel", "error", err)
	}
}
