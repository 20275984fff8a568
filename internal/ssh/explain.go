package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// explain finds the reason of a failed handshake. What this package refused or
// a person ended comes first; the library's own words say only what followed.
func (h *handshake) explain(ctx context.Context, conn *greetedConn, attempt *login, err error) error {
	trusted, refusal := h.hostKey.get()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case refusal != nil:
		return refusal
	case attempt.abort != nil:
		return attempt.abort
	case attempt.clock.ranOut():
		return fmt.Errorf("%w: %s", ErrTimeout, silence(conn, trusted))
	case !trusted && h.proxy != nil && len(conn.greeting()) == 0:
		return fmt.Errorf("%w: the ProxyCommand gave no connection: %w", ErrUnreachable, h.proxy.outcome())
	case !trusted:
		return fmt.Errorf("%w: %w", ErrProtocol, noServer(conn.greeting(), err))
	case len(attempt.tried) == 0:
		return fmt.Errorf("%w: %w", ErrDropped, err)
	default:
		return attempt.refused(err)
	}
}

// silence says in which phase nothing came any more.
func silence(conn *greetedConn, trusted bool) string {
	switch {
	case len(conn.greeting()) == 0:
		return "it took the connection and sent no greeting"
	case !trusted:
		return "it stopped in the key exchange"
	default:
		return "it stopped in the login"
	}
}

// noServer says what answers in place of a usable SSH server.
func noServer(greeting []byte, err error) error {
	var mismatch *ssh.AlgorithmNegotiationError
	switch line := firstLine(greeting); {
	case errors.As(err, &mismatch):
		return fmt.Errorf("no common algorithm for %s; it has only %s", mismatch.What, strings.Join(mismatch.RequestedAlgorithms, ", "))
	case len(greeting) == 0:
		return errors.New("it closed the connection without a greeting; it may be busy, or keep this computer out")
	case oldProtocol(greeting):
		return fmt.Errorf("it speaks only SSH 1, which is not safe (%q)", line)
	case !bytes.Contains(greeting, []byte("SSH-")):
		return fmt.Errorf("it answers %q", line)
	case !bytes.ContainsRune(greeting, '\n'):
		return errors.New("it hung up in the midst of its greeting")
	default:
		return err
	}
}

// maxQuoted is how much of a greeting is repeated, in bytes.
const maxQuoted = 60

func firstLine(greeting []byte) string {
	line, _, _ := bytes.Cut(greeting, []byte("\n"))
	return string(bytes.TrimSpace(line[:min(len(line), maxQuoted)]))
}

// oldProtocol: 1.99 is version 2 with the old one beside it (RFC 4253, section
// 5.1).
func oldProtocol(greeting []byte) bool {
	return bytes.HasPrefix(greeting, []byte("SSH-1.")) && !bytes.HasPrefix(greeting, []byte("SSH-1.99-"))
}

// errOtherServer: what answers will never be an SSH server.
var errOtherServer = errors.New("not an SSH server")

// maxGreeting is how much of it is kept for a message.
const maxGreeting = 256

// greetedConn keeps the first bytes of the other side, and ends at once a
// conversation that can only time out.
type greetedConn struct {
	net.Conn
	mu    sync.Mutex
	first []byte
}

// Read implements io.Reader.
func (c *greetedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := maxGreeting - len(c.first); room > 0 && n > 0 {
		c.first = append(c.first, p[:min(n, room)]...)
		whole := bytes.IndexByte(c.first, '\n') >= 0
		if whole && (oldProtocol(c.first) || bytes.HasPrefix(c.first, []byte("HTTP/"))) {
			return 0, errOtherServer
		}
	}
	return n, err
}

func (c *greetedConn) greeting() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.first)
}

// unreachable says why there is no connection at all.
func unreachable(err error) error {
	var resolve *net.DNSError
	switch {
	case errors.As(err, &resolve) && resolve.IsNotFound:
		return fmt.Errorf("%w: the name %s is not known", ErrUnreachable, resolve.Name)
	case errors.As(err, &resolve):
		return fmt.Errorf("%w: the name %s cannot be looked up now: %w", ErrUnreachable, resolve.Name, err)
	case isTimeout(err):
		return fmt.Errorf("%w: no connection: %w", ErrTimeout, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return &noWay{"nothing listens on that port", err}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return &noWay{"there is no way to that address", err}
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// noWay is ErrUnreachable with a reason in plain words; the operating
// system's are for those who want to know more.
type noWay struct {
	why   string
	cause error
}

func (n *noWay) Error() string { return ErrUnreachable.Error() + ": " + n.why }

func (n *noWay) Unwrap() []error { return []error{ErrUnreachable, n.cause} }
