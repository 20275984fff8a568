package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Dial connects to a device and logs in. It tries once; an error says why
// there is no connection and wraps a sentinel of this package, the error of a
// callback, or ctx's. The caller closes the client.
func Dial(ctx context.Context, target Target, cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	set, err := settingsFor(ctx, target, cfg)
	if err != nil {
		return nil, err
	}
	target, err = set.apply(target)
	if err != nil {
		return nil, err
	}
	h := &handshake{cfg: cfg, set: set, target: target}
	client, err := h.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot log in to %s: %w", target, err)
	}
	return client, nil
}

// stepClock bounds one step of a handshake on a connection.
type stepClock struct {
	conn net.Conn
	step time.Duration
}

func (c *stepClock) start() { _ = c.conn.SetDeadline(time.Now().Add(c.step)) }
func (c *stepClock) stop()  { _ = c.conn.SetDeadline(time.Time{}) }

// handshake brings one connection from nothing to logged in.
type handshake struct {
	cfg    Config
	set    *settings
	target Target

	hostKey verdict
}

// verdict is what was decided about the host key. The library asks for it on
// a goroutine of its own.
type verdict struct {
	mu      sync.Mutex
	trusted bool
	refusal error
}

func (v *verdict) set(refusal error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trusted, v.refusal = refusal == nil, refusal
	return refusal
}

func (v *verdict) get() (trusted bool, refusal error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.trusted, v.refusal
}

func (h *handshake) address() string {
	return net.JoinHostPort(h.target.Address(), strconv.Itoa(int(h.target.Port)))
}

func (h *handshake) run(ctx context.Context) (*Client, error) {
	conn, err := h.reach(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	clock := &stepClock{conn: conn, step: h.cfg.Timeout}
	attempt := newLogin(ctx, h.cfg, h.set, h.target, clock)
	defer attempt.close()

	clock.start()
	sshConn, channels, requests, err := h.shake(ctx, conn, attempt)
	if err != nil {
		conn.Close()
		return nil, h.explain(ctx, attempt, err)
	}
	clock.stop()
	h.cfg.Log.Debug("logged in", "device", h.target.String(), "tried", attempt.tried)
	return newClient(ssh.NewClient(sshConn, channels, requests), h.target, h.cfg.KeepAlive), nil
}

func (h *handshake) reach(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: h.cfg.Timeout}).DialContext(ctx, "tcp", h.address())
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case isTimeout(err):
		return nil, fmt.Errorf("%w: %w", ErrTimeout, err)
	default:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}

func (h *handshake) shake(ctx context.Context, conn net.Conn, attempt *login) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	keys, err := newHostKeys(ctx, h.set, h.cfg)
	if err != nil {
		return nil, nil, nil, h.hostKey.set(err)
	}
	config := &ssh.ClientConfig{
		User:              h.target.User,
		Auth:              attempt.methods(),
		AuthCallback:      attempt.observe,
		HostKeyAlgorithms: keys.algorithms(h.address()),
		HostKeyCallback: func(address string, remote net.Addr, key ssh.PublicKey) error {
			attempt.clock.stop()
			defer attempt.clock.start()
			return h.hostKey.set(keys.check(address, remote, key))
		},
	}
	return ssh.NewClientConn(conn, h.address(), config)
}

// explain finds the reason of a failed handshake. What this package refused or
// a person ended comes first; the library's own words say only what followed.
func (h *handshake) explain(ctx context.Context, attempt *login, err error) error {
	trusted, refusal := h.hostKey.get()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case refusal != nil:
		return refusal
	case attempt.abort != nil:
		return attempt.abort
	case isTimeout(err):
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case !trusted:
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	case len(attempt.tried) == 0:
		return fmt.Errorf("%w: %w", ErrDropped, err)
	default:
		return attempt.refused(err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
