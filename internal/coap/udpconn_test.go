package coap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"

	"mbl/internal/coap/record"
)

// isLastFlight tells the server's datagram with ChangeCipherSpec and Finished.
func isLastFlight(datagram []byte) bool { return record.Kind(datagram[0]) == record.ChangeCipherSpec }

// A client that has not got our last flight asks for it by repeating its own
// (RFC 6347 §4.2.4); the library, which has sent it, is gone by then.
func TestALostLastFlightIsSentAgain(t *testing.T) {
	for name, client := range map[string]func(*DialConfig){
		"certificate": func(*DialConfig) {},
		"shared key":  func(c *DialConfig) { c.SharedKey = &SharedKey{Identity: "gateway-00000001", Key: sharedSecret()} },
	} {
		for _, lost := range []int{1, 2} {
			t.Run(fmt.Sprint(name, ", lost ", lost), func(t *testing.T) {
				t.Parallel()
				cfg := sharedKeys()
				s := newSite(t, cfg)
				client(&s.dial)
				r := newRelay(t, s.listener.Addr().String())
				seen := 0
				r.filter(nil, func(datagram []byte) [][]byte {
					if isLastFlight(datagram) {
						if seen++; seen <= lost {
							return nil
						}
					}
					return [][]byte{datagram}
				})
				client, server := s.connect(t, r.address())
				pass(t, client, server, "up")
				pass(t, server, client, "down")
			})
		}
	}
}

// finishing is a relay that keeps the client's Finished and counts our last
// flights.
type finishing struct {
	*relay
	finished []byte
	answers  int
}

func newFinishing(t *testing.T, s *site) *finishing {
	f := &finishing{relay: newRelay(t, s.listener.Addr().String())}
	f.filter(func(datagram []byte) [][]byte {
		for rest := datagram; f.finished == nil; {
			one, after, ok := record.Cut(rest, peerIDSize)
			if !ok {
				break
			}
			if one.Epoch() == 1 {
				f.finished = bytes.Clone(rest[:len(rest)-len(after)])
			}
			rest = after
		}
		return [][]byte{datagram}
	}, func(datagram []byte) [][]byte {
		if isLastFlight(datagram) {
			f.answers++
		}
		return [][]byte{datagram}
	})
	return f
}

// repeat sends Finished again so often, and tells how many last flights the
// server has sent when it has read all of them.
func (f *finishing) repeat(times int, client, server Conn) int {
	f.t.Helper()
	f.mu.Lock()
	finished := f.finished
	f.mu.Unlock()
	for range times {
		f.inject(finished)
		time.Sleep(time.Millisecond) // the socket's buffer is small
	}
	pass(f.t, client, server, "after all of them")
	pass(f.t, server, client, "and after their answers")
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answers
}

// Whoever repeats the client's Finished, which is seen on the wire, gets our
// last flight some times.
func TestTheLastFlightIsNotSentForEver(t *testing.T) {
	s := newSite(t, ListenConfig{})
	f := newFinishing(t, s)
	client, server := s.connect(t, f.address())
	if n := f.repeat(5*maxRepeats, client, server); n < 2 || n > 1+maxRepeats {
		t.Errorf("it was sent %d times", n)
	}
}

// Nobody gets it once the client has shown that it has it.
func TestTheLastFlightIsForgottenWhenItHasArrived(t *testing.T) {
	s := newSite(t, ListenConfig{})
	f := newFinishing(t, s)
	client, server := s.connect(t, f.address())
	pass(t, client, server, "up")
	if n := f.repeat(3, client, server); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}

// everySuite are those that clients may come with.
func everySuite() []dtls.CipherSuiteID { return append(certificateSuites(), sharedKeySuites()...) }

// A client of the library, of each suite, with a connection id of its own,
// with one for us alone, and without any.
func TestEverySuiteIsTakenOver(t *testing.T) {
	for _, suite := range everySuite() {
		for name, ids := range map[string]func() []byte{
			"no id": nil, "server's id": dtls.OnlySendCIDGenerator(), "both ids": dtls.RandomCIDGenerator(5),
		} {
			t.Run(suite.String()+", "+name, func(t *testing.T) {
				s := newSite(t, sharedKeys())
				r := newRelay(t, s.listener.Addr().String())
				conn := dialLibrary(t, s, r, suite, ids)
				server := acceptFrom(t, s.listener)
				for i := range 5 {
					passBothWays(t, conn, server, fmt.Sprint("message ", i))
				}
				r.filter(nil, nil)
				if ids != nil && !record.Suite(suite).UsesCBC() { // what moves keeps its connection
					r.move(s.listener.Addr().String())
					passBothWays(t, conn, server, "from elsewhere")
				}
				if err := conn.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := server.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
					t.Errorf("the end is %v", err)
				}
				wantNumbersUsedOnce(t, r, ids)
			})
		}
	}
}

// The library authenticates records with a connection id as nobody else does, if
// the suite is one of CBC: such clients are given none, whatever they offer.
func TestClientsWithCBCAreGivenNoID(t *testing.T) {
	for _, suite := range everySuite() {
		s := newSite(t, sharedKeys())
		r := newRelay(t, s.listener.Addr().String())
		conn := dialLibrary(t, s, r, suite, dtls.RandomCIDGenerator(5))
		server := acceptFrom(t, s.listener)
		passBothWays(t, conn, server, "here")
		given := false
		r.mu.Lock()
		for _, datagram := range r.recorded {
			given = given || datagram[0] == recordWithID || bytes.Contains(datagram, []byte{recordWithID, dtls12Major, dtls12Minor})
		}
		r.mu.Unlock()
		if given == record.Suite(suite).UsesCBC() {
			t.Errorf("%s: an id was given: %v", suite, given)
		}
	}
}

// wantNumbersUsedOnce fails if the server has encrypted two records with one
// number, which is what makes the nonce; the same record may have been sent
// again.
func wantNumbersUsedOnce(t *testing.T, r *relay, ids func() []byte) {
	t.Helper()
	size := 0
	if ids != nil {
		size = len(ids())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	used := map[uint64]string{}
	for _, datagram := range r.recorded {
		for rest := datagram; ; {
			one, after, ok := record.Cut(rest, size)
			if !ok {
				break
			}
			sealed := string(rest[:len(rest)-len(after)])
			rest = after
			if one.Epoch() == 0 {
				continue
			}
			if before, again := used[one.Number()]; again && before != sealed {
				t.Errorf("two records have the number %d", one.Number())
			}
			used[one.Number()] = sealed
		}
	}
	if len(used) < 3 { // Finished, data, and more of it
		t.Errorf("only %d records were seen", len(used))
	}
}

// The library must not send anything more once we have taken over, whatever
// makes it: it would count on from where we do.
func TestTheLibrarySendsNothingMore(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	lost := 0
	r.filter(nil, func(datagram []byte) [][]byte {
		if isLastFlight(datagram) {
			if lost++; lost == 1 {
				return nil
			}
		}
		return [][]byte{datagram, datagram}
	})
	client, server := s.connect(t, r.address())
	for i := range 5 {
		pass(t, client, server, fmt.Sprint("up ", i))
		pass(t, server, client, fmt.Sprint("down ", i))
	}
	_ = server.Close()
	if _, err := client.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
		t.Errorf("the end is %v", err)
	}
	wantNumbersUsedOnce(t, r, nil)
}

func dialLibrary(t *testing.T, s *site, r *relay, suite dtls.CipherSuiteID, ids func() []byte, more ...dtls.ClientOption) *dtls.Conn {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	options := append(more, dtls.WithCipherSuites(suite), dtls.WithEllipticCurves(elliptic.P256))
	if ids != nil {
		options = append(options, dtls.WithConnectionIDGenerator(ids))
	}
	if slices.Contains(sharedKeySuites(), suite) {
		options = append(options,
			dtls.WithPSK(func([]byte) ([]byte, error) { return sharedSecret(), nil }),
			dtls.WithPSKIdentityHint([]byte("gateway-00000001")))
	} else {
		options = append(options, dtls.WithInsecureSkipVerify(true), dtls.WithCertificates(s.dial.Certificate))
	}
	conn, err := dtls.ClientWithOptions(socket, r.front.LocalAddr(), options...)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.HandshakeContext(limit(t)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// passBothWays passes a text up and down again.
func passBothWays(t *testing.T, client *dtls.Conn, server Conn, text string) {
	t.Helper()
	if _, err := client.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	got, err := server.ReadMessage(limit(t))
	if err != nil || string(got) != text {
		t.Fatalf("up came %q, %v", got, err)
	}
	if err := server.WriteMessage(got); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, maxDatagram)
	if err := client.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := client.Read(buffer); err != nil || string(buffer[:n]) != text {
		t.Fatalf("down came %q, %v", buffer[:n], err)
	}
}

// A network that doubles, delays and mixes up datagrams, and in which somebody
// changes copies of them.
func TestEveryMessageArrivesOnceWhateverTheNetworkDoes(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	pass(t, client, server, "first")
	var held [][]byte
	random := rand.New(rand.NewPCG(1, 2))
	r.filter(func(datagram []byte) [][]byte {
		forged := bytes.Clone(datagram)
		forged[random.IntN(len(forged))] ^= 1 << random.IntN(8)
		held = append(held, datagram, datagram, forged, garbage(random, datagram))
		if len(held) < 40 {
			return nil
		}
		random.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		out := held
		held = nil
		return out
	}, nil)
	const messages = 200 // twenty rounds of ten
	for i := range messages {
		if err := client.WriteMessage(fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		if i%10 < 9 {
			continue
		}
		var got []string
		for range 10 {
			message, err := server.ReadMessage(limit(t))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(message))
		}
		slices.Sort(got)
		var want []string
		for n := i - 9; n <= i; n++ {
			want = append(want, fmt.Sprint(n))
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("arrived %q, not %q", got, want)
		}
	}
	r.filter(nil, nil)
	pass(t, client, server, "last") // and nothing before it
	pass(t, server, client, "down")
}

// garbage is something that may begin as a datagram does.
func garbage(random *rand.Rand, datagram []byte) []byte {
	made := make([]byte, random.IntN(100)+1)
	for i := range made {
		made[i] = byte(random.Uint32())
	}
	copy(made, datagram[:random.IntN(min(len(datagram), len(made)))])
	return made
}

// RFC 9146 §6: a record that was sent before the newest one does not move the
// client, wherever it comes from, and neither does one that was seen.
func TestOldRecordsDoNotMoveAClient(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	var first []byte
	r.filter(func(datagram []byte) [][]byte {
		if first == nil {
			first = datagram
			return nil
		}
		return [][]byte{datagram}
	}, nil)
	if err := client.WriteMessage([]byte("kept back")); err != nil {
		t.Fatal(err)
	}
	pass(t, client, server, "newest")
	home := server.RemoteAddr().String()
	stranger := newStranger(t, s)
	r.mu.Lock()
	stranger.send(first)
	r.mu.Unlock()
	if got, err := server.ReadMessage(limit(t)); err != nil || string(got) != "kept back" {
		t.Fatalf("read %q, %v", got, err)
	}
	stranger.send(first) // a second time
	if now := server.RemoteAddr().String(); now != home {
		t.Errorf("the client seems to be at %s, not %s", now, home)
	}
	pass(t, server, client, "down")
	if now := server.RemoteAddr().String(); now != home {
		t.Errorf("at last the client seems to be at %s, not %s", now, home)
	}
}

// A client without connection ids that sends from somewhere else is unknown
// there.
func TestRecordsWithoutAnIDAreKnownByAddressAlone(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	conn := dialLibrary(t, s, r, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, nil)
	server := acceptFrom(t, s.listener)
	passBothWays(t, conn, server, "from home")
	stranger := newStranger(t, s)
	sent := make(chan struct{})
	r.filter(func(datagram []byte) [][]byte {
		stranger.send(datagram)
		close(sent)
		return nil
	}, nil)
	if _, err := conn.Write([]byte("from elsewhere")); err != nil {
		t.Fatal(err)
	}
	<-sent
	r.filter(nil, nil)
	passBothWays(t, conn, server, "from home again")
}

func TestAFatalAlertEndsAConnection(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t, s.listener.Addr().String())
	pass(t, client, server, "up")
	conn := server.(*udpConn)
	conn.takeAlert([]byte{1, 90}) // user_canceled, a warning
	pass(t, client, server, "up")
	conn.takeAlert([]byte{levelFatal, 20})
	if _, err := server.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
		t.Errorf("reading: %v", err)
	}
	if err := server.WriteMessage([]byte("down")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing: %v", err)
	}
	_ = client.Close()
	s.wantNobody(t)
}

func TestAConnectionWithoutNumbersLeftEnds(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t, s.listener.Addr().String())
	random := make([]byte, randomSize)
	used, err := record.NewAssociation(record.Secrets{
		Suite: record.PSKCCM8, Master: random, ClientRandom: random, ServerRandom: random,
	}, record.IDs{}, maxSequence+1)
	if err != nil {
		t.Fatal(err)
	}
	server.(*udpConn).records = used
	if err := server.WriteMessage([]byte("down")); !errors.Is(err, record.ErrExhausted) {
		t.Errorf("writing: %v", err)
	}
	if _, err := server.ReadMessage(limit(t)); !errors.Is(err, record.ErrExhausted) {
		t.Errorf("reading: %v", err)
	}
	_ = client.Close()
	s.wantNobody(t)
}

// Plaintext is anybody's: after the handshake it means nothing.
func TestPlaintextAfterTheHandshakeMeansNothing(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	pass(t, client, server, "up")
	closing := []byte{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 0}
	data := []byte{23, 254, 253, 0, 0, 0, 0, 0, 0, 0, 98, 0, 2, 'h', 'i'}
	inEpoch1 := bytes.Clone(closing)
	inEpoch1[4] = 1
	r.inject(closing, data, inEpoch1, recordHello(t))
	pass(t, client, server, "still here")
	pass(t, server, client, "still there")
}

func TestNoGoroutineWaitsForAnIdleClient(t *testing.T) {
	s := newSite(t, ListenConfig{})
	for range 20 {
		client, server := s.connect(t, s.listener.Addr().String())
		session := NewSession(server, nil, SessionConfig{})
		session.Start(t.Context(), func(error) {})
		other := NewSession(client, nil, SessionConfig{})
		go other.Serve(t.Context())
		if err := other.Ping(limit(t)); err != nil {
			t.Fatal(err)
		}
	}
	left := ""
	for ctx := limit(t); ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		left = ""
		for stack := range strings.SplitSeq(string(stacks), "\n\n") {
			if strings.Contains(stack, "coap.(*shaking)") || strings.Contains(stack, "coap.(*udpConn)") || strings.Contains(stack, "(*Listener).admit") {
				left = stack
			}
		}
		if left == "" {
			return
		}
	}
	t.Errorf("somebody waits:\n%s", left)
}

// started begins a session on a connection and tells how it ends.
func started(ctx context.Context, conn Conn) (*Session, <-chan error) {
	session := NewSession(conn, nil, SessionConfig{})
	ended := make(chan error, 1)
	session.Start(ctx, func(err error) { ended <- err })
	return session, ended
}

func TestAStartedSessionEndsAsAServedOneReturns(t *testing.T) {
	for what, c := range map[string]struct {
		end  func(cancel context.CancelFunc, session *Session, client Conn)
		want error
	}{
		"closed by us":       {func(_ context.CancelFunc, session *Session, _ Conn) { _ = session.Close() }, nil},
		"closed by the peer": {func(_ context.CancelFunc, _ *Session, client Conn) { _ = client.Close() }, nil},
		"cancelled":          {func(cancel context.CancelFunc, _ *Session, _ Conn) { cancel() }, context.Canceled},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			client, server := s.connect(t, s.listener.Addr().String())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			session, ended := started(ctx, server)
			c.end(cancel, session, client)
			select {
			case err := <-ended:
				if !errors.Is(err, c.want) {
					t.Errorf("it ended with %v", err)
				}
			case <-limit(t).Done():
				t.Fatal("it did not end")
			}
			select {
			case <-session.Done():
			default:
				t.Error("it is not done")
			}
			_ = client.Close()
			s.wantNobody(t)
		})
	}
}

func TestWhatCameBeforeASessionStartedIsAnswered(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t, s.listener.Addr().String())
	ping := []byte{0x40, 0, 0, 1}
	if err := client.WriteMessage(ping); err != nil {
		t.Fatal(err)
	}
	for ctx := limit(t); ; { // until it waits
		in := &server.(*udpConn).inbox
		in.mu.Lock()
		n := len(in.waiting)
		in.mu.Unlock()
		if n == 1 {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("it does not arrive")
		}
		time.Sleep(time.Millisecond)
	}
	started(t.Context(), server)
	if got, err := client.ReadMessage(limit(t)); err != nil || !bytes.Equal(got, []byte{0x70, 0, 0, 1}) {
		t.Errorf("answered %x, %v", got, err)
	}
}

func TestAnInboxHoldsSoMuch(t *testing.T) {
	var b inbox
	for i := range 10 * maxWaiting {
		b.put([]byte{byte(i)})
	}
	b.end(io.EOF)
	b.put([]byte("late"))
	read := 0
	for {
		if _, err := b.get(limit(t)); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("the end is %v", err)
			}
			break
		}
		read++
	}
	if read != maxWaiting {
		t.Errorf("%d messages waited", read)
	}
}

func TestAProofIsThePeerItWasMadeOf(t *testing.T) {
	ca := newAuthority(t)
	device := ca.issue(t, "device", distantPast, distantFuture)
	chain, err := parseChain([][]byte{device.Certificate[0], ca.certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	proof := NewProof(Peer{Certificate: chain[0], Others: chain[1:], Since: since})
	for range 3 {
		got := proof.Peer()
		if !got.Certificate.Equal(chain[0]) || len(got.Others) != 1 || !got.Others[0].Equal(ca.certificate) || !got.Since.Equal(since) {
			t.Errorf("it is %v", got)
		}
		runtime.GC() // forgets what was taken apart
	}
	if got := NewProof(Peer{SharedKey: "identity"}).Peer(); got.SharedKey != "identity" || got.Certificate != nil {
		t.Errorf("of a shared key it is %v", got)
	}
}
