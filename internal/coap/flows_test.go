package coap

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
)

// stranger is a socket that sends what it likes.
type stranger struct {
	t      *testing.T
	socket net.Conn
}

func newStranger(t *testing.T, s *site) *stranger {
	t.Helper()
	socket, err := net.Dial("udp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return &stranger{t, socket}
}

func (s *stranger) send(data []byte) {
	s.t.Helper()
	if _, err := s.socket.Write(data); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stranger) receive() []byte {
	s.t.Helper()
	buffer := make([]byte, 4096)
	if err := s.socket.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	n, err := s.socket.Read(buffer)
	if err != nil {
		s.t.Fatal(err)
	}
	return buffer[:n]
}

// withRecord is a datagram with another record number.
func withRecord(data []byte, number uint64) []byte {
	data = bytes.Clone(data)
	binary.BigEndian.PutUint64(data[3:], number)
	return data
}

// withCookie is what a client sends that was asked for a cookie.
func withCookie(t *testing.T, hello, question []byte, number uint64) []byte {
	t.Helper()
	parsed, ok := parseClientHello(hello)
	if !ok || len(question) < 48 || question[13] != helloVerifyMessage {
		t.Fatalf("asked %x", question)
	}
	body := append(append(bytes.Clone(parsed.before), question[27:]...), parsed.after...)
	second := handshakeRecord(number, clientHelloMessage, body)
	second[recordHeaderSize+5] = 1 // the message's number
	return second
}

// wantNobody waits until nothing is remembered of any client.
func (s *site) wantNobody(t *testing.T) {
	t.Helper()
	for ctx := limit(t); ; {
		unfinished, open := s.listener.Count()
		s.listener.flows.mu.Lock()
		known := len(s.listener.flows.byAddress) + len(s.listener.flows.byID)
		s.listener.flows.mu.Unlock()
		if unfinished+open+known == 0 {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%d connections are under way, %d open, %d remembered", unfinished, open, known)
		}
	}
}

// A first datagram may come from anyone under any address, as fast as a
// network can carry them.
func TestFirstDatagramsCostNothingThatStays(t *testing.T) {
	s := newSite(t, ListenConfig{MaxHandshakes: 1})
	hello := recordHello(t)
	for range 20 {
		other := newStranger(t, s)
		for number := range uint64(100) {
			other.send(withRecord(hello, number))
		}
		other.receive() // has come so far
		if unfinished, open := s.listener.Count(); unfinished != 0 || open != 0 {
			t.Fatalf("%d connections are under way and %d open", unfinished, open)
		}
	}
	s.wantNobody(t)
	client, server := s.connect(t, s.listener.Addr().String())
	pass(t, client, server, "up")
}

func TestACookieIsGoodForItsClientAlone(t *testing.T) {
	s := newSite(t, ListenConfig{})
	hello := recordHello(t)
	one, other := newStranger(t, s), newStranger(t, s)
	one.send(hello)
	question := one.receive()
	for name, forged := range map[string][]byte{
		"another client's": withCookie(t, hello, question, 1),
		"made up":          withCookie(t, hello, append(bytes.Clone(question[:28]), make([]byte, 20)...), 1),
	} {
		other.send(forged)
		if again := other.receive(); again[recordHeaderSize] != helloVerifyMessage {
			t.Errorf("%s: answered with message %d", name, again[recordHeaderSize])
		}
	}
	changed := bytes.Clone(hello)
	changed[recordHeaderSize+handshakeHeaderSize+10] ^= 1 // its random
	one.send(withCookie(t, changed, question, 1))
	if again := one.receive(); again[recordHeaderSize] != helloVerifyMessage {
		t.Errorf("changed parameters are answered with message %d", again[recordHeaderSize])
	}
	s.wantNobody(t)
}

// The numbers are those the client expects (RFC 6347 §4.2.1): a client takes
// each only once.
func TestRecordsAreNumberedOnAfterLostDatagrams(t *testing.T) {
	s := newSite(t, ListenConfig{})
	hello, client := recordHello(t), newStranger(t, s)
	var question []byte
	for number := range uint64(3) {
		client.send(withRecord(hello, number))
		question = client.receive()
		if got := binary.BigEndian.Uint64(question[3:]); got != number {
			t.Errorf("the question to record %d is record %d", number, got)
		}
	}
	client.send(withCookie(t, hello, question, 3))
	answer := client.receive()
	const serverHello = 2
	if got := binary.BigEndian.Uint64(answer[3:]); answer[recordHeaderSize] != serverHello || got != 3 {
		t.Errorf("message %d is record %d", answer[recordHeaderSize], got)
	}
	next := recordHeaderSize + int(binary.BigEndian.Uint16(answer[11:]))
	if got := binary.BigEndian.Uint64(answer[next+3:]); got != 4 {
		t.Errorf("the next is record %d", got)
	}
}

// A device that was restarted comes from the same address, as behind a NAT box
// or with a fixed port, and has lost its keys.
func TestAClientThatBeginsAnewReplacesItself(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	pass(t, client, server, "before")
	again, anew := s.connect(t, r.address())
	pass(t, again, anew, "after")
	pass(t, anew, again, "welcome back")
	if _, err := server.ReadMessage(limit(t)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the connection of before is still there: %v", err)
	}
}

// Whoever holds the address for a moment and does not finish a handshake must
// not end the connection that is there.
func TestABrokenOffHandshakeLeavesTheConnection(t *testing.T) {
	refuse := false
	var mu sync.Mutex
	s := newSite(t, ListenConfig{VerifyPeer: func(context.Context, *x509.Certificate) error {
		mu.Lock()
		defer mu.Unlock()
		if refuse {
			return errors.New("no")
		}
		return nil
	}})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	front := r.clientAddress()
	mu.Lock()
	refuse = true
	mu.Unlock()
	if _, err := Dial(limit(t), r.address(), s.dial); err == nil {
		t.Fatal("the second client was let in")
	}
	r.setClient(front)
	for ctx := limit(t); ; time.Sleep(time.Millisecond) { // until the refused one is gone
		if unfinished, _ := s.listener.Count(); unfinished == 0 {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the refused client is still there")
		}
	}
	pass(t, client, server, "still here")
	pass(t, server, client, "still there")
}

func (r *relay) clientAddress() net.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.client
}

func (r *relay) setClient(address net.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.client = address
}

// The library keeps pieces of handshake messages, and anybody can send them in
// a client's name.
func TestPiecesOfHandshakesInAClientsNameFillNoMemory(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	piece := make([]byte, recordHeaderSize+handshakeHeaderSize+1200)
	piece[0], piece[1], piece[2] = recordHandshake, dtls12Major, dtls12Minor
	binary.BigEndian.PutUint16(piece[11:], handshakeHeaderSize+1200)
	message := piece[recordHeaderSize:]
	message[0] = 11
	putUint24(message[1:], 1<<23)
	putUint24(message[9:], 1200)
	before := heap()
	for n := range 3000 { // 3.6 MB, of which the library would keep 2
		binary.BigEndian.PutUint64(piece[3:], uint64(1000+n))
		binary.BigEndian.PutUint16(message[4:], 100)
		putUint24(message[6:], 1200*n)
		r.mu.Lock()
		_, err := r.back.Write(piece)
		r.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if n%50 == 0 {
			pass(t, client, server, "through it all")
		}
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d bytes more are in use", grown)
	}
	pass(t, client, server, "through it all")
}

func heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// Clients above a limit get no answer and try again.
func TestClientsAboveALimitWait(t *testing.T) {
	for name, limits := range map[string]Limits{
		"connections":               {MaxConnections: 1},
		"connections of an address": {MaxConnectionsPerAddress: 1},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &observed{}
			s := newSite(t, ListenConfig{Limits: limits, Observer: seen})
			client, server := s.connect(t, s.listener.Addr().String())
			connected := make(chan error, 1)
			go func() {
				second, err := Dial(limit(t), s.listener.Addr().String(), s.dial)
				if err == nil {
					err = second.Close()
				}
				connected <- err
			}()
			seen.wait(t, func() bool { return len(seen.refused) > 0 })
			pass(t, client, server, "undisturbed")
			if err := errors.Join(client.Close(), server.Close()); err != nil {
				t.Error(err)
			}
			third, err := s.listener.Accept(limit(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := <-connected; err != nil {
				t.Error(err)
			}
			if _, err := third.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
				t.Errorf("the end of the second client: %v", err)
			}
			_ = third.Close()
			s.wantNobody(t)
		})
	}
}

// observed is a PortObserver that remembers.
type observed struct {
	mu         sync.Mutex
	handshakes []Handshake
	refused    []Refusal
}

func (o *observed) HandshakeEnded(h Handshake) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handshakes = append(o.handshakes, h)
}

func (o *observed) PeerRefused(_ Transport, refusal Refusal) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = append(o.refused, refusal)
}

// wait waits until something was seen.
func (o *observed) wait(t *testing.T, done func() bool) {
	t.Helper()
	for ctx := limit(t); ; {
		o.mu.Lock()
		found := done()
		o.mu.Unlock()
		if found {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatal("it does not happen")
		}
	}
}

func TestHandshakesAreObserved(t *testing.T) {
	seen := &observed{}
	s := newSite(t, ListenConfig{Observer: seen, VerifyPeer: func(_ context.Context, peer *x509.Certificate) error {
		if peer.Subject.CommonName == "stranger" {
			return errors.New("no")
		}
		return nil
	}})
	s.connect(t, s.listener.Addr().String())
	s.dial.Certificate = s.ca.issue(t, "stranger", distantPast, distantFuture)
	if _, err := Dial(limit(t), s.listener.Addr().String(), s.dial); err == nil {
		t.Fatal("a stranger was let in")
	}
	seen.wait(t, func() bool { return len(seen.handshakes) == 2 })
	first, second := seen.handshakes[0], seen.handshakes[1]
	if first.Err != nil || first.Transport != UDP || first.Suite != "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" || first.Took <= 0 {
		t.Errorf("seen %+v", first)
	}
	if !errors.Is(second.Err, ErrPeerRefused) || second.Suite != "" {
		t.Errorf("of a stranger is seen %+v", second)
	}
}

func TestAHandshakesDeadlinesAreThoseOfASocket(t *testing.T) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	flows := newFlows(socket)
	defer flows.close()
	f := newShaking(&flow{flows: flows}, &clientHello{record: 1})
	if err := f.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, _, err := f.ReadFrom(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("after the deadline: %v", err)
	}
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	f.deliver([]byte("a"), netip.MustParseAddrPort("127.0.0.1:1"))
	if n, _, err := f.ReadFrom(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("with a datagram: %d, %v", n, err)
	}
	for range 10 * maxQueued {
		f.deliver(make([]byte, 100), netip.MustParseAddrPort("127.0.0.1:1"))
	}
	if len(f.queue) > maxQueued {
		t.Errorf("%d datagrams wait", len(f.queue))
	}
}

func FuzzParseClientHello(f *testing.F) {
	f.Add([]byte{})
	f.Add(handshakeRecord(0, clientHelloMessage, make([]byte, 41)))
	f.Add(handshakeRecord(1, clientHelloMessage, append(make([]byte, 38), 0, 2, 0xc0, 0xae, 1, 0, 0)))
	f.Fuzz(func(t *testing.T, data []byte) {
		hasPlaintext(data)
		idOf(data)
		isVerifyRequest(data)
		hello, ok := parseClientHello(data)
		if !ok {
			return
		}
		hello.connectionID()
		again, ok := parseClientHello(hello.first())
		if !ok || len(again.cookie) != 0 || !bytes.Equal(again.before, hello.before) || !bytes.Equal(again.after, hello.after) {
			t.Errorf("without its cookie it is %+v, %v", again, ok)
		}
		from := netip.MustParseAddrPort("[::1]:1")
		secrets := newCookies()
		again.cookie = secrets.make(from, hello)
		if !secrets.accept(from, again) {
			t.Error("its cookie is not accepted")
		}
	})
}
