package coap

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// elsewhere lets the client's machine have the address 127.0.0.2 so far.
func elsewhere(t *testing.T, client Conn) *movableSocket {
	t.Helper()
	m := client.(movableConn).socket
	other, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, m.peer)
	if err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.current
	m.current = other
	_ = old.Close()
	return m
}

func TestClientFollowsItsMachineToAnotherAddress(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t, s.listener.Addr().String())
	m := elsewhere(t, client)
	pass(t, client, server, "from the first address")
	if err := client.(Mover).Move(); err != nil {
		t.Fatal(err)
	}
	if got := addressOf(m.socket()).String(); got != "127.0.0.1" {
		t.Errorf("it sends from %s", got)
	}
	pass(t, client, server, "from the second")
	pass(t, server, client, "found you")
	if err := client.(Mover).Move(); err != nil {
		t.Errorf("moving nowhere: %v", err)
	}
	pass(t, server, client, "still there")
}

func TestClientWithoutAConnectionIDCannotFollow(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t, s.listener.Addr().String())
	m := elsewhere(t, client)
	pass(t, client, server, "x")
	m.withID.Store(false)
	if err := client.(Mover).Move(); !errors.Is(err, ErrMoved) {
		t.Errorf("Move: %v", err)
	}
}

func TestAClosedConnectionDoesNotMove(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, _ := s.connect(t, s.listener.Addr().String())
	_ = client.Close()
	if err := client.(Mover).Move(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Move: %v", err)
	}
}

func TestWhatTheNetworkDropsIsLossNotTheEnd(t *testing.T) {
	for _, err := range []error{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EPERM, syscall.EINVAL} {
		if !isLoss(&net.OpError{Op: "write", Err: err}) {
			t.Errorf("%v ends the connection", err)
		}
	}
	if isLoss(&net.OpError{Op: "read", Err: syscall.ECONNREFUSED}) || isLoss(net.ErrClosed) {
		t.Error("a server that is gone, or a closed connection, goes unnoticed")
	}
}
