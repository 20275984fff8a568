package applications

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync"
	"time"
)

const (
	// maxApps is how many applications may be connected at once.
	maxApps = 16
	// acceptPause is the time before the next try after one that failed.
	acceptPause = time.Second
)

// Listener accepts applications.
type Listener struct {
	inner *net.UnixListener
	path  string
	log   *slog.Logger
}

// Listen makes the socket at path, for this user and the named group; "" is
// the user's own. A socket that a killed program left behind is replaced. The
// caller calls Serve, or Close.
func Listen(path, group string, log *slog.Logger) (*Listener, error) {
	if err := removeLeftover(path); err != nil {
		return nil, fmt.Errorf("cannot listen for applications on %s: %w", path, err)
	}
	// The socket must never be open to everyone, not even before its mode is
	// set. This is done when the process starts.
	var inner *net.UnixListener
	var err error
	withMask(0o117, func() { inner, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}) })
	if err != nil {
		return nil, fmt.Errorf("cannot listen for applications: %w", err)
	}
	if err := giveTo(path, group); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot let the group %s use %s: %w", group, path, err), inner.Close())
	}
	return &Listener{inner: inner, path: path, log: log}, nil
}

func removeLeftover(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("something else is there")
	}
	if conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"}); err == nil {
		return errors.Join(errors.New("another program listens there"), conn.Close())
	}
	return os.Remove(path)
}

func giveTo(path, group string) error {
	if group == "" {
		return nil
	}
	known, err := user.LookupGroup(group)
	if err != nil {
		return err
	}
	id, err := strconv.Atoi(known.Gid)
	if err != nil {
		return err
	}
	return os.Lchown(path, -1, id)
}

// Close stops listening and removes the socket.
func (l *Listener) Close() error { return l.inner.Close() }

// Serve accepts applications until ctx ends, then leaves them all and removes
// the socket.
func (l *Listener) Serve(ctx context.Context, registry Registry) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	var working sync.WaitGroup
	defer working.Wait()
	places := make(chan struct{}, maxApps)
	for id := uint64(1); ; id++ {
		conn, err := l.inner.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("cannot accept applications: %w", err)
		case err != nil: // too many open files, which passes
			l.log.Warn("cannot accept an application", "error", err)
			pause(ctx, acceptPause)
			continue
		}
		app := newApp(id, conn, l.log)
		select {
		case places <- struct{}{}:
		default:
			app.send(reply{Error: fmt.Sprintf("there are %d applications already", maxApps)})
			_ = conn.Close()
			continue
		}
		l.log.Info("application connected", "app", id, "uid", uidOf(conn))
		working.Go(func() {
			defer func() { <-places }()
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			app.serve(registry)
			l.log.Info("application left", "app", id)
		})
	}
}

// pause waits a while, or until ctx ends.
func pause(ctx context.Context, while time.Duration) {
	timer := time.NewTimer(while)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
