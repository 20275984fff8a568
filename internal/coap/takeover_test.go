package coap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"mbl/internal/coap/record"
)

// associations are both sides of a connection without a handshake.
func associations(t *testing.T) (client, server *record.Association) {
	t.Helper()
	secrets := record.Secrets{
		Suite: record.PSKCCM8, Master: make([]byte, 48),
		ClientRandom: make([]byte, randomSize), ServerRandom: make([]byte, randomSize),
	}
	server, err := record.NewAssociation(secrets, record.IDs{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	secrets.Client = true
	client, err = record.NewAssociation(secrets, record.IDs{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

// The client answers close_notify at once, and may be quicker than Close.
func TestAnAnswerToCloseNotifyDoesNotLookLikeTheClientsEnd(t *testing.T) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	client, server := associations(t)
	from := socket.LocalAddr().(*net.UDPAddr).AddrPort()
	f := &flow{flows: newFlows(socket), from: from}
	conn := &udpConn{flow: f, records: server, address: from, log: slog.New(slog.DiscardHandler)}
	f.conn = conn
	answer, err := client.Seal(record.Alert, record.CloseNotify())
	if err != nil {
		t.Fatal(err)
	}
	conn.sayGoodbye() // as Close does first
	conn.receive(answer, from)
	_ = conn.Close()
	if _, err := conn.ReadMessage(limit(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close reading says %v", err)
	}
}

// Whoever has looked up the handshake just before the connection takes its
// place must not leave a message with it.
func TestAHandshakeThatIsOverTakesNothing(t *testing.T) {
	s := newShaking(&flow{flows: &flows{}}, &clientHello{record: 1})
	from := netip.MustParseAddrPort("127.0.0.1:1")
	if !s.deliver([]byte("before"), from) {
		t.Error("it took nothing before")
	}
	if rest := s.rest(); len(rest) != 1 {
		t.Errorf("%d datagrams are left", len(rest))
	}
	if s.deliver([]byte("after"), from) {
		t.Error("it took a datagram that nobody will fetch")
	}
}

// The connection id that a client wants is not the length of a record.
func TestAConnectionIDIsNotTakenForPlaintext(t *testing.T) {
	id := []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}
	s := newShaking(&flow{flows: &flows{}}, &clientHello{record: 3})
	s.peerID = id
	spec := []byte{byte(record.ChangeCipherSpec), dtls12Major, dtls12Minor, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 1}
	finished := []byte{recordWithID, dtls12Major, dtls12Minor, 0, 1, 0, 0, 0, 0, 0, 0}
	finished = append(append(finished, id...), 0, 8, 0, 1, 0, 0, 0, 0, 0, 0)
	got := s.shifted(append(bytes.Clone(spec), finished...))
	if number := binary.BigEndian.Uint64(got[3:]); number != 7 {
		t.Errorf("ChangeCipherSpec is record %d", number)
	}
	if !bytes.Equal(got[len(spec):], finished) {
		t.Errorf("Finished was changed to\n%x from\n%x", got[len(spec):], finished)
	}
}

// The library keeps what it cannot decrypt yet, and whoever has a cookie can
// send it anything.
func TestAHandshakeIsNotGivenMoreThanItNeeds(t *testing.T) {
	for what, epoch := range map[string]byte{"plaintext": 0, "encrypted": 1} {
		s := newShaking(&flow{flows: &flows{}}, &clientHello{record: 1})
		datagram := make([]byte, 1000)
		copy(datagram, []byte{recordHandshake, dtls12Major, dtls12Minor, 0, epoch})
		binary.BigEndian.PutUint16(datagram[11:], uint16(len(datagram)-recordHeaderSize))
		given := 0
		for range 1000 {
			s.deliver(datagram, netip.MustParseAddrPort("127.0.0.1:1"))
			if next, _ := s.take(); next != nil {
				given += len(next.data)
			}
		}
		if given > 100_000 {
			t.Errorf("%s: the library was given %d bytes", what, given)
		}
	}
}

// newHello is a ClientHello, without a cookie, of a client that begins anew.
func newHello(t *testing.T) []byte {
	t.Helper()
	hello := recordHello(t)
	hello[recordHeaderSize+handshakeHeaderSize+2] ^= 0xff // the random
	return hello
}

// beginsAnew sends, in the client's name, a ClientHello and the one with the
// cookie, and nothing more.
func (r *relay) beginsAnew(s *site) {
	r.t.Helper()
	hello := newHello(r.t)
	unfinished := func() int {
		n, _ := s.listener.Count()
		return n
	}
	before := unfinished()
	r.inject(hello)
	question := r.waitFor(func(datagram []byte) bool { return isVerifyRequest(datagram) })
	r.inject(withCookie(r.t, hello, question, 1))
	for ctx := limit(r.t); unfinished() == before; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			r.t.Fatal("no handshake has begun")
		}
	}
}

// waitFor waits for something that the server sends, and returns the latest.
func (r *relay) waitFor(wanted func([]byte) bool) []byte {
	r.t.Helper()
	for ctx := limit(r.t); ctx.Err() == nil; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		for i := len(r.recorded) - 1; i >= 0; i-- {
			if datagram := r.recorded[i]; wanted(datagram) {
				r.mu.Unlock()
				return datagram
			}
		}
		r.mu.Unlock()
	}
	r.t.Fatal("the server does not send it")
	return nil
}

// Whoever sees the wire can begin a handshake in a client's name and leave it
// at that. The client must be heard all the same.
func TestAHandshakeInAClientsNameDoesNotSilenceIt(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	conn := dialLibrary(t, s, r, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, nil)
	server := acceptFrom(t, s.listener)
	passBothWays(t, conn, server, "before")
	r.mu.Lock()
	r.recorded = nil
	r.mu.Unlock()
	r.filter(nil, func(datagram []byte) [][]byte {
		if epochOf(datagram) == 0 {
			return nil // the client has not asked for it
		}
		return [][]byte{datagram}
	})
	r.beginsAnew(s)
	for i := range 3 {
		passBothWays(t, conn, server, fmt.Sprint("meanwhile ", i))
	}
}

// A client that has moved is not replaced by whoever has its old address now,
// as behind a NAT box.
func TestAClientThatHasMovedIsNotReplacedAtItsOldAddress(t *testing.T) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	l := newFlows(socket)
	defer socket.Close()
	address := netip.MustParseAddrPort("192.0.2.1:5684")
	add := func(id byte) *flow {
		f := &flow{flows: l, from: address, id: peerID{id}}
		f.shaking = newShaking(f, &clientHello{record: 1})
		if !l.add(f) {
			t.Fatal("it is not let in")
		}
		return f
	}
	mover := add(1)
	l.settled(mover)
	other := add(2)
	l.moved(mover)
	l.settled(other)
	if mover.isClosed() {
		t.Error("the client that has moved was replaced")
	}
	third := add(3)
	third.end(net.ErrClosed)
	other.end(net.ErrClosed)
	if l.byAddress[address] != nil {
		t.Error("somebody has the address")
	}
}
