//go:build linux

package lan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Island is a machine with a network of its own with nothing but a loopback interface, and
// every port free. Whoever makes one closes it.
type Island struct{ space string }

// NewIsland makes one.
func NewIsland() (*Island, error) {
	m := &Island{fmt.Sprintf("mbl-island-%08x", rand.Uint32())}
	for _, line := range []string{"ip netns add " + m.space, "ip -n " + m.space + " link set lo up"} {
		if _, err := run(strings.Fields(line)...); err != nil {
			m.Close()
			return nil, err
		}
	}
	return m, nil
}

// Close takes the machine away. What runs on it has been stopped.
func (m *Island) Close() {
	_, _ = run("ip", "netns", "delete", m.space) // it may never have been made
}

// On is the command that runs another one there.
func (m *Island) On() []string { return []string{"ip", "netns", "exec", m.space} }

// OnWithResolver is the same for one that looks names up as the file says,
// which is in the format of /etc/resolv.conf.
func (m *Island) OnWithResolver(file string) []string {
	script := `mount --bind "$0" /etc/resolv.conf && exec "$@"`
	return append(m.On(), "unshare", "--mount", "sh", "-c", script, file)
}

// Dial connects from there.
func (m *Island) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return in(m.space, func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, address) })
}

// ListenPacket listens there.
func (m *Island) ListenPacket(network, address string) (net.PacketConn, error) {
	return in(m.space, func() (net.PacketConn, error) { return net.ListenPacket(network, address) })
}

// in does something in a name space that ends with a socket: a socket stays
// where it was made. Names are not resolved: addresses must be numbers.
func in[T any](space string, open func() (T, error)) (socket T, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: nobody else may get a thread that has moved
		if err = enter(space); err == nil {
			socket, err = open()
		}
	}()
	<-done
	return socket, err
}

func enter(space string) error {
	file, err := os.Open("/run/netns/" + space)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
}
