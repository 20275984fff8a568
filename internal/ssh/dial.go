package ssh

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Dial connects to a device and logs in, through the hosts or the command that
// the configuration puts before it. It tries once; an error says why there is
// no connection and wraps a sentinel of this package, the error of a callback,
// or ctx's. The caller closes the client.
func Dial(ctx context.Context, target Target, cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	set, err := settingsFor(ctx, target, cfg, DefaultUser)
	if err != nil {
		return nil, err
	}
	if target.Alias == "" && len(set.identityFiles) == 0 {
		if err := set.addOriginalKeys(ctx, cfg); err != nil {
			return nil, err
		}
	}
	client, err := (&handshake{cfg: cfg, set: set}).run(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot log in to %s: %w", set.target, err)
	}
	return client, nil
}

// stepClock bounds one step of a handshake: it closes the connection when the
// step takes too long. Not every connection knows deadlines.
type stepClock struct {
	conn net.Conn
	step time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	expired bool
}

func (c *stepClock) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(c.step, c.expire)
}

func (c *stepClock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
}

func (c *stepClock) expire() {
	c.mu.Lock()
	c.expired = true
	c.mu.Unlock()
	c.conn.Close()
}

func (c *stepClock) ranOut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expired
}

// handshake brings one connection from nothing to logged in.
type handshake struct {
	cfg   Config
	set   *settings
	via   *Client // the jump host before this host; nil: not chosen yet, or none
	depth int     // how many hosts wait for this one, 0 for the device itself

	proxy   *proxyConn // nil: no ProxyCommand
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
	return net.JoinHostPort(h.set.target.Address(), strconv.Itoa(int(h.set.target.Port)))
}

func (h *handshake) run(ctx context.Context) (*Client, error) {
	reached, err := h.reach(ctx)
	if err != nil {
		return nil, err
	}
	conn := &greetedConn{Conn: reached}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	clock := &stepClock{conn: conn, step: h.set.timeout}
	attempt := newLogin(ctx, h.cfg, h.set, clock)
	attempt.jump = h.depth > 0
	defer attempt.close()

	clock.start()
	defer clock.stop()
	sshConn, channels, requests, err := h.shake(ctx, conn, attempt)
	if err != nil {
		conn.Close()
		return nil, h.explain(ctx, conn, attempt, err)
	}
	h.cfg.Log.Debug("logged in", "device", h.set.target.String(), "tried", attempt.tried)
	return newClient(ssh.NewClient(sshConn, channels, requests), h.set.target, h.cfg.KeepAlive), nil
}

func (h *handshake) shake(ctx context.Context, conn net.Conn, attempt *login) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	keys, err := newHostKeys(ctx, h.set, h.cfg, h.address())
	if err != nil {
		return nil, nil, nil, h.hostKey.set(err)
	}
	wanted := h.set.algorithms
	config := &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: wanted.keyExchanges, Ciphers: wanted.ciphers, MACs: wanted.macs},
		User:              h.set.target.User,
		Auth:              attempt.methods(),
		AuthCallback:      attempt.observe,
		BannerCallback:    attempt.hear,
		HostKeyAlgorithms: keys.algorithms(),
		HostKeyCallback: func(address string, remote net.Addr, key ssh.PublicKey) error {
			attempt.clock.stop()
			defer attempt.clock.start()
			return h.hostKey.set(keys.check(address, remote, key))
		},
	}
	return ssh.NewClientConn(conn, h.address(), config)
}
