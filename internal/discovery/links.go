package discovery

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// ErrNoNetwork means that nothing can be asked, for want of a network interface
// or of the port.
var ErrNoNetwork = errors.New("multicast DNS is not possible on this machine")

const (
	port          = 5353
	maxPacket     = 9000 // RFC 6762 section 17
	packetBacklog = 64
)

var (
	group4 = net.IPv4(224, 0, 0, 251)
	group6 = net.ParseIP("ff02::fb")
)

// packet is a message that came over a link.
type packet struct {
	message *dns.Msg
	link    *net.Interface
	from    *net.UDPAddr
	own     bool // it is what was sent from here lately, come back
}

// links are the networks this machine is connected to, for multicast DNS.
type links struct {
	log     *slog.Logger
	v4      *ipv4.PacketConn       // nil: no IPv4
	v6      *ipv6.PacketConn       // nil: no IPv6
	mu      sync.Mutex             // guards the maps: readers look into them
	joined4 map[int]*net.Interface // by index
	joined6 map[int]*net.Interface
	sent    recent
	packets chan packet
	done    chan struct{}
	readers sync.WaitGroup
}

// isUsable: loopback is asked too, for the devices of a sandbox. The kernel
// loops multicast there although the interface does not say MULTICAST.
func isUsable(link *net.Interface) bool {
	return link.Flags&net.FlagUp != 0 && link.Flags&(net.FlagMulticast|net.FlagLoopback) != 0
}

func isLoopback(link *net.Interface) bool {
	return link.Flags&net.FlagUp != 0 && link.Flags&net.FlagLoopback != 0
}

// isNetwork: others are on the link. Where only one can be, nobody looks
// around.
func isNetwork(link *net.Interface) bool {
	const not = net.FlagLoopback | net.FlagPointToPoint
	return link.Flags&net.FlagUp != 0 && link.Flags&net.FlagMulticast != 0 && link.Flags&not == 0
}

// openLinks joins multicast DNS on each interface that wanted chooses. Whoever
// calls closes them.
func openLinks(log *slog.Logger, wanted func(*net.Interface) bool) (*links, error) {
	l, problem := openSockets(log)
	if _, err := l.update(wanted); err != nil {
		l.close()
		return nil, err
	}
	if len(l.joined()) == 0 {
		l.close()
		return nil, whyNot(problem)
	}
	return l, nil
}

// openSockets opens the port of multicast DNS, and listens to no link yet. The
// problem is why IPv4, or IPv6, or both cannot be used.
func openSockets(log *slog.Logger) (l *links, problem error) {
	l = &links{
		log: log, joined4: map[int]*net.Interface{}, joined6: map[int]*net.Interface{},
		packets: make(chan packet, packetBacklog), done: make(chan struct{}),
	}
	err4, err6 := l.open4(), l.open6()
	l.startReading()
	return l, cmp.Or(err4, err6)
}

// update joins the links that are there and wanted, leaves the others, and
// returns the former.
func (l *links) update(wanted func(*net.Interface) bool) ([]*net.Interface, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("cannot list the network interfaces: %w", err)
	}
	var there []*net.Interface
	for i := range interfaces {
		if wanted(&interfaces[i]) {
			there = append(there, &interfaces[i])
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := func(index int, _ *net.Interface) bool {
		return !slices.ContainsFunc(there, func(link *net.Interface) bool { return link.Index == index })
	}
	maps.DeleteFunc(l.joined4, gone)
	maps.DeleteFunc(l.joined6, gone)
	for _, link := range there {
		l.join(link)
	}
	return there, nil
}

func whyNot(problem error) error {
	if problem != nil {
		return fmt.Errorf("%w: %w", ErrNoNetwork, problem)
	}
	return fmt.Errorf("%w: no network interface is up", ErrNoNetwork)
}

func (l *links) open4() error {
	conn, err := listen("udp4", "0.0.0.0:5353")
	if err != nil {
		return err
	}
	l.v4 = ipv4.NewPacketConn(conn)
	return errors.Join(
		l.v4.SetControlMessage(ipv4.FlagInterface, true),
		l.v4.SetMulticastLoopback(true),
		l.v4.SetMulticastTTL(255),
	)
}

func (l *links) open6() error {
	conn, err := listen("udp6", "[::]:5353")
	if err != nil {
		return err
	}
	l.v6 = ipv6.NewPacketConn(conn)
	return errors.Join(
		l.v6.SetControlMessage(ipv6.FlagInterface, true),
		l.v6.SetMulticastLoopback(true),
		l.v6.SetMulticastHopLimit(255),
	)
}

// listen opens the port of multicast DNS beside whoever else has it open.
func listen(network, address string) (net.PacketConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var shared error
		return errors.Join(raw.Control(func(fd uintptr) { shared = sharePort(fd) }), shared)
	}}
	conn, err := config.ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, fmt.Errorf("cannot use its port: %w", err)
	}
	return conn, nil
}

// join listens to a link. One that it listened to before it went down is
// listened to still.
func (l *links) join(link *net.Interface) {
	if l.v4 != nil {
		l.noteJoined(l.joined4, link, l.v4.JoinGroup(link, &net.UDPAddr{IP: group4}))
	}
	if l.v6 != nil {
		l.noteJoined(l.joined6, link, l.v6.JoinGroup(link, &net.UDPAddr{IP: group6}))
	}
}

func (l *links) noteJoined(joined map[int]*net.Interface, link *net.Interface, err error) {
	switch {
	case err == nil, errors.Is(err, syscall.EADDRINUSE):
		joined[link.Index] = link
	default:
		delete(joined, link.Index)
		l.log.Debug("no multicast", "interface", link.Name, "error", err)
	}
}

// joined are the indexes of the links, lowest first.
func (l *links) joined() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := maps.Clone(l.joined4)
	maps.Copy(all, l.joined6)
	return slices.Sorted(maps.Keys(all))
}

// sendAll sends a message over every link.
func (l *links) sendAll(message *dns.Msg) {
	for _, link := range l.joined() {
		l.send(link, message)
	}
}

// send sends a message over one link, in both versions of IP.
func (l *links) send(index int, message *dns.Msg) {
	data, err := message.Pack()
	if err != nil {
		l.log.Debug("cannot write a multicast DNS message", "error", err)
		return
	}
	l.mu.Lock()
	link4, link6 := l.joined4[index], l.joined6[index]
	l.mu.Unlock()
	l.sent.note(data)
	if link := link4; link != nil {
		_, err := l.v4.WriteTo(data, &ipv4.ControlMessage{IfIndex: index}, &net.UDPAddr{IP: group4, Port: port})
		l.note(link, err)
	}
	if link := link6; link != nil {
		to := &net.UDPAddr{IP: group6, Port: port, Zone: link.Name}
		_, err := l.v6.WriteTo(data, &ipv6.ControlMessage{IfIndex: index}, to)
		l.note(link, err)
	}
}

// sendTo answers one that asked from another port than that of multicast DNS.
func (l *links) sendTo(message *dns.Msg, to *net.UDPAddr) {
	data, err := message.Pack()
	if err == nil && to.IP.To4() != nil && l.v4 != nil {
		_, err = l.v4.WriteTo(data, nil, to)
	} else if err == nil && l.v6 != nil {
		_, err = l.v6.WriteTo(data, nil, to)
	}
	if err != nil {
		l.log.Debug("cannot answer", "to", to, "error", err)
	}
}

// note: a link that cannot be sent on now is common (IPv6 on loopback, a cable
// that is out) and no reason to stop.
func (l *links) note(link *net.Interface, err error) {
	if err != nil {
		l.log.Debug("cannot send multicast DNS", "interface", link.Name, "error", err)
	}
}

func (l *links) startReading() {
	if l.v4 != nil {
		l.readers.Go(func() {
			l.read(l.joined4, func(buffer []byte) (int, int, net.Addr, error) {
				n, control, from, err := l.v4.ReadFrom(buffer)
				if control == nil {
					return n, 0, from, err
				}
				return n, control.IfIndex, from, err
			})
		})
	}
	if l.v6 != nil {
		l.readers.Go(func() {
			l.read(l.joined6, func(buffer []byte) (int, int, net.Addr, error) {
				n, control, from, err := l.v6.ReadFrom(buffer)
				if control == nil {
					return n, 0, from, err
				}
				return n, control.IfIndex, from, err
			})
		})
	}
}

// read passes on what comes over the joined links until the socket is closed.
// The kernel hands over other links' packets too.
func (l *links) read(joined map[int]*net.Interface, receive func([]byte) (n, index int, from net.Addr, err error)) {
	buffer := make([]byte, maxPacket)
	for {
		n, index, from, err := receive(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		l.mu.Lock()
		link := joined[index]
		l.mu.Unlock()
		sender, ok := from.(*net.UDPAddr)
		message := new(dns.Msg)
		if err != nil || link == nil || !ok || message.Unpack(buffer[:n]) != nil {
			continue
		}
		select {
		case l.packets <- packet{message: message, link: link, from: sender, own: l.sent.has(buffer[:n])}:
		case <-l.done:
			return
		}
	}
}

// close ends the readers and closes the sockets.
func (l *links) close() {
	close(l.done)
	if l.v4 != nil {
		l.note(&net.Interface{}, l.v4.Close())
	}
	if l.v6 != nil {
		l.note(&net.Interface{}, l.v6.Close())
	}
	l.readers.Wait()
}

// recent remembers what was sent lately: multicast comes back to who sent it.
type recent struct {
	mu   sync.Mutex
	last [64][sha256.Size]byte
	next int
}

func (r *recent) note(data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[r.next%len(r.last)] = sha256.Sum256(data)
	r.next++
}

func (r *recent) has(data []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.last[:], sha256.Sum256(data))
}
