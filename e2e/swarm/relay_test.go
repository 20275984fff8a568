package swarm

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"mbl/e2e/stage/stagetest"
)

// relay is a bad network between one device and a server: it loses datagrams,
// brings some twice and all of them late, each by another time, so that they
// overtake each other.
type relay struct {
	server *net.UDPAddr
	near   *net.UDPConn // what the device sends to

	mu     sync.Mutex
	random *rand.Rand
	device *net.UDPAddr
	far    *net.UDPConn // what the server is sent from
	closed bool
}

const (
	lost, twice = 0.10, 0.10
	latest      = 60 * time.Millisecond
	datagram    = 64 << 10
)

func newRelay(t *testing.T, server string, seed uint64) *relay {
	t.Helper()
	address, err := net.ResolveUDPAddr("udp", server)
	stagetest.Check(t, err)
	near, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	stagetest.Check(t, err)
	r := &relay{server: address, near: near, random: rand.New(rand.NewPCG(seed, seed))}
	r.move(t)
	go r.towardsServer()
	t.Cleanup(r.close)
	return r
}

func (r *relay) address() string { return r.near.LocalAddr().String() }

func (r *relay) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.near.Close()
	r.far.Close()
}

// move is what a NAT box does that has forgotten its device: the server sees
// another port from now on, and what it sends to the old one is lost.
func (r *relay) move(t *testing.T) {
	t.Helper()
	far, err := net.DialUDP("udp", nil, r.server)
	stagetest.Check(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.far != nil {
		r.far.Close()
	}
	r.far = far
	go r.towardsDevice(far)
}

func (r *relay) towardsServer() {
	buffer := make([]byte, datagram)
	for {
		n, from, err := r.near.ReadFromUDP(buffer)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.device = from
		r.mu.Unlock()
		r.carry(buffer[:n], func(data []byte) {
			r.mu.Lock()
			defer r.mu.Unlock()
			_, _ = r.far.Write(data) // a server that is away is the network's way, too
		})
	}
}

func (r *relay) towardsDevice(far *net.UDPConn) {
	buffer := make([]byte, datagram)
	for {
		n, err := far.Read(buffer)
		if err != nil {
			return
		}
		r.carry(buffer[:n], func(data []byte) {
			r.mu.Lock()
			device := r.device
			r.mu.Unlock()
			_, _ = r.near.WriteToUDP(data, device)
		})
	}
}

// carry delivers a datagram never, once or twice, each time late.
func (r *relay) carry(data []byte, deliver func([]byte)) {
	data = append([]byte(nil), data...)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.random.Float64() < lost {
		return
	}
	times := 1
	if r.random.Float64() < twice {
		times = 2
	}
	for range times {
		time.AfterFunc(time.Duration(r.random.Int64N(int64(latest))), func() { deliver(data) })
	}
}
