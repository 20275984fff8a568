//go:build openssl

package openssl

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"mbl/internal/coap"
)

// remembering is a PortObserver that remembers.
type remembering struct {
	mu         sync.Mutex
	handshakes []coap.Handshake
	refused    []coap.Refusal
}

func (r *remembering) HandshakeEnded(h coap.Handshake) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handshakes = append(r.handshakes, h)
}

func (r *remembering) PeerRefused(_ coap.Transport, refusal coap.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = append(r.refused, refusal)
}

func (r *remembering) wait(t *testing.T, done func() bool) {
	t.Helper()
	for ctx := limit(t); ; {
		r.mu.Lock()
		found := done()
		r.mu.Unlock()
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

// Whoever opens connections and says nothing takes all the room there is, and
// is the first to go.
func TestSilentConnectionsDoNotKeepEveryoneOut(t *testing.T) {
	seen := &remembering{}
	s := newSite(t, ListenConfig{ListenConfig: coap.ListenConfig{Limits: coap.Limits{MaxUnfinished: 3}, Observer: seen}})
	for range 10 {
		s.socket(t)
	}
	client, server := s.connect(t)
	pass(t, client, server, "up")
	seen.wait(t, func() bool { return len(seen.refused) > 0 && seen.refused[0] == coap.RefusedSilent })
}

// Original clients that wait for their turn have said what they are; closing
// them would cost their credentials.
func TestClientsThatWaitForTheirTurnAreNotTakenForSilent(t *testing.T) {
	hold := make(chan struct{})
	s := newSite(t, ListenConfig{ListenConfig: coap.ListenConfig{
		MaxHandshakes: 1, HandshakeTimeout: time.Minute, Limits: coap.Limits{MaxUnfinished: 4, MaxHandshakesPerAddress: 1},
		VerifyPeer: func(ctx context.Context, _ *x509.Certificate) error {
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return nil
		},
	}})
	const clients = 8
	ready := make(chan error)
	for range clients {
		go func() {
			client, err := Dial(limit(t), s.address(), s.dial)
			if err == nil {
				err = client.WriteMessage([]byte("here"))
				_ = client.Close()
			}
			ready <- err
		}()
	}
	for ctx := limit(t); ; time.Sleep(time.Millisecond) { // until there is no more room
		if unfinished, _ := s.listener.Count(); unfinished == 4 {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("there is still room")
		}
	}
	time.Sleep(shedAfter + 100*time.Millisecond) // those that are silent would go now
	close(hold)
	for range clients {
		server := s.accept(t)
		if _, err := server.ReadMessage(limit(t)); err != nil {
			t.Error(err)
		}
		_ = server.Close()
		if err := <-ready; err != nil {
			t.Error(err)
		}
	}
}

func TestAStalledHandshakeMakesRoomForOthers(t *testing.T) {
	seen := &remembering{}
	s := newSite(t, ListenConfig{ListenConfig: coap.ListenConfig{
		MaxHandshakes: 1, StalledAfter: time.Millisecond, HandshakeTimeout: time.Hour, Observer: seen,
	}})
	stalled := s.socket(t)
	if _, err := stalled.Write(inRecords(helloWithoutSession(t), maxMessage)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stalled, make([]byte, 100)); err != nil { // its handshake is under way
		t.Fatal(err)
	}
	client, server := s.connect(t)
	pass(t, client, server, "up")
	seen.wait(t, func() bool { return len(seen.handshakes) == 2 })
	if first, second := seen.handshakes[0], seen.handshakes[1]; !errors.Is(first.Err, coap.ErrStalled) && !errors.Is(second.Err, coap.ErrStalled) {
		t.Errorf("seen %+v and %+v", first, second)
	}
}

// Above the number of open connections clients wait unaccepted; above that of
// one address they lose a connection that was good.
func TestOpenConnectionsAreLimited(t *testing.T) {
	s := newSite(t, ListenConfig{ListenConfig: coap.ListenConfig{Limits: coap.Limits{MaxConnections: 1}}})
	client, server := s.connect(t)
	dialed := make(chan error, 1)
	go func() {
		second, err := Dial(limit(t), s.address(), s.dial)
		if err == nil {
			err = second.WriteMessage([]byte("my turn"))
		}
		dialed <- err
	}()
	pass(t, client, server, "undisturbed")
	if err := errors.Join(client.Close(), server.Close()); err != nil {
		t.Error(err)
	}
	if got, err := s.accept(t).ReadMessage(limit(t)); err != nil || string(got) != "my turn" {
		t.Errorf("the second client: %q, %v", got, err)
	}
	if err := <-dialed; err != nil {
		t.Error(err)
	}

	s = newSite(t, ListenConfig{ListenConfig: coap.ListenConfig{Limits: coap.Limits{MaxConnectionsPerAddress: 1}}})
	client, server = s.connect(t)
	second, err := Dial(limit(t), s.address(), s.dial)
	if err != nil {
		t.Fatalf("its handshake: %v", err)
	}
	if _, err := second.ReadMessage(limit(t)); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection too many: %v", err)
	}
	pass(t, client, server, "undisturbed")
}

// A service that is stopped breaks no handshake: an original client would
// throw its credentials away.
func TestHandshakesAreFinishedWhenTheListenerCloses(t *testing.T) {
	under, release := make(chan struct{}), make(chan struct{})
	s := newSite(t, verifying(func(*x509.Certificate) error {
		close(under)
		<-release
		return nil
	}))
	dialed := make(chan error, 1)
	go func() {
		client, err := Dial(limit(t), s.address(), s.dial)
		if err == nil {
			_, err = client.ReadMessage(limit(t))
		}
		dialed <- err
	}()
	<-under
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = s.listener.Close()
	}()
	for { // until it is closing
		socket, err := net.Dial("tcp", s.address())
		if err != nil {
			break
		}
		socket.Close()
	}
	close(release)
	if err := <-dialed; !errors.Is(err, io.EOF) {
		t.Errorf("the client's connection: %v", err)
	}
	<-closed
}

func TestHandshakesAreObserved(t *testing.T) {
	seen := &remembering{}
	cfg := verifying(func(peer *x509.Certificate) error {
		if peer.Subject.CommonName == "stranger" {
			return errors.New("no")
		}
		return nil
	})
	cfg.Observer, cfg.Sessions = seen, NewMemory(10)
	s := newSite(t, cfg)
	client, _ := s.connect(t)
	s.dial.Resume = client.Session()
	s.connect(t)
	s.dial.Resume, s.dial.Certificate = nil, s.device(t, "stranger")
	if conn, err := Dial(limit(t), s.address(), s.dial); err == nil {
		if _, err := conn.ReadMessage(limit(t)); err == nil {
			t.Error("a stranger was let in")
		}
	}
	seen.wait(t, func() bool { return len(seen.handshakes) == 3 })
	for n, wanted := range []coap.Handshake{
		{Transport: coap.TCP, Suite: "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"},
		{Transport: coap.TCP, Suite: "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", Resumed: true},
		{Transport: coap.TCP, Err: coap.ErrPeerRefused},
	} {
		got := seen.handshakes[n]
		if got.Transport != wanted.Transport || got.Suite != wanted.Suite || got.Resumed != wanted.Resumed || !errors.Is(got.Err, wanted.Err) {
			t.Errorf("handshake %d is seen as %+v", n, got)
		}
	}
}
