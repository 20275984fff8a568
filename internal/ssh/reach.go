package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// maxJumps is how many hosts may stand before a device, one behind the other.
const maxJumps = 8

// reach opens a connection to the host, straight or as ProxyJump or
// ProxyCommand want it.
func (h *handshake) reach(ctx context.Context) (net.Conn, error) {
	if h.via == nil && len(h.set.jumps) > 0 {
		via, err := h.jump(ctx)
		if err != nil {
			return nil, err
		}
		h.via = via
	}
	switch {
	case h.via != nil:
		return h.through(ctx, h.via)
	case h.set.proxyCommand != "":
		proxy, err := startProxy(h.set.proxyCommand, h.cfg)
		if err != nil {
			return nil, fmt.Errorf("%w: ProxyCommand: %w", ErrConfig, err)
		}
		h.proxy = proxy
		return proxy, nil
	default:
		return h.straight(ctx)
	}
}

func (h *handshake) straight(ctx context.Context) (net.Conn, error) {
	if zone := h.set.target.Zone; !isZone(zone) {
		return nil, fmt.Errorf("%w: this computer has no network interface %s", ErrUnreachable, zone)
	}
	conn, err := (&net.Dialer{Timeout: h.set.timeout}).DialContext(ctx, h.set.addressFamily, h.address())
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		return nil, unreachable(err)
	}
}

// isZone tells whether a zone is the name or the number of an interface; no
// zone is as good.
func isZone(zone string) bool {
	if _, err := strconv.Atoi(zone); zone == "" || err == nil {
		return true
	}
	_, err := net.InterfaceByName(zone)
	return err == nil
}

// jump logs in to the jump hosts, one through the other, and returns the last.
// Each has its own settings, host key and login; the first may have jump hosts
// of its own.
func (h *handshake) jump(ctx context.Context) (*Client, error) {
	if h.depth+len(h.set.jumps) > maxJumps {
		return nil, fmt.Errorf("%w: ProxyJump goes through more than %d hosts, or in a circle", ErrConfig, maxJumps)
	}
	var last *Client
	for _, name := range h.set.jumps {
		next, err := h.logInToJump(ctx, name, last)
		if err != nil {
			if last != nil {
				last.Close()
			}
			return nil, fmt.Errorf("the jump host %s: %w", name, err)
		}
		last = next
	}
	return last, nil
}

func (h *handshake) logInToJump(ctx context.Context, name string, via *Client) (*Client, error) {
	target, err := parseJump(name)
	if err != nil {
		return nil, err
	}
	set, err := settingsFor(ctx, target, h.cfg, localUser())
	if err != nil {
		return nil, err
	}
	next := &handshake{cfg: h.cfg, set: set, via: via, depth: h.depth + 1}
	return next.run(ctx)
}

// parseJump reads [USER@]HOST[:PORT] or ssh://[USER@]HOST[:PORT].
func parseJump(name string) (Target, error) {
	text := strings.TrimSuffix(strings.TrimPrefix(name, "ssh://"), "/")
	target, err := ParseTarget(text)
	if err != nil {
		return Target{}, fmt.Errorf("%w: ProxyJump: %w", ErrConfig, err)
	}
	return target, nil
}

// through opens a connection from a jump host on; it owns the login there.
func (h *handshake) through(ctx context.Context, via *Client) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, h.set.timeout)
	defer cancel()
	conn, err := via.conn.DialContext(limited, "tcp", h.address())
	if err == nil {
		return &jumpedConn{Conn: conn, via: via}, nil
	}
	via.Close()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, fmt.Errorf("%w: the jump host %s gets no connection to %s", ErrTimeout, via.target, h.address())
	default:
		return nil, fmt.Errorf("%w: the jump host %s gets no connection to %s: %w", ErrUnreachable, via.target, h.address(), err)
	}
}

// jumpedConn is a connection through a jump host. Its end is the end of the
// login there.
type jumpedConn struct {
	net.Conn
	via *Client
}

// Close implements net.Conn.
func (c *jumpedConn) Close() error {
	return errors.Join(c.Conn.Close(), c.via.Close())
}
