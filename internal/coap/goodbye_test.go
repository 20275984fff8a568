package coap

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"mbl/internal/coap/record"
)

func isAlert(datagram []byte) bool { return record.Kind(datagram[0]) == record.Alert }

// losing lets so many of our alerts get lost, and counts all.
func (r *relay) losing(alerts int32) (seen *atomic.Int32) {
	seen = new(atomic.Int32)
	r.filter(nil, func(datagram []byte) [][]byte {
		if isAlert(datagram) && seen.Add(1) <= alerts {
			return nil
		}
		return [][]byte{datagram}
	})
	return seen
}

// known is how many clients the port has anything of.
func (s *site) known() int {
	s.listener.flows.mu.Lock()
	defer s.listener.flows.mu.Unlock()
	return len(s.listener.flows.byID)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for ctx := limit(t); !is(); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("%s, still", what)
		}
	}
}

// An original client whose last answer's acknowledgement got lost repeats the
// answer, and would bootstrap anew if it heard nothing.
func TestAClientThatMissedOurGoodbyeIsToldAgain(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	pass(t, client, server, "up")
	r.losing(2)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if unfinished, open := s.listener.Count(); unfinished+open > 0 {
		t.Errorf("%d and %d count", unfinished, open)
	}
	for range 2 {
		if err := client.WriteMessage([]byte("repeated")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
		t.Errorf("the client reads %v", err)
	}
	if _, err := server.ReadMessage(limit(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("we read %v", err)
	}
	_ = client.Close()
	eventually(t, "the client is known", func() bool { return s.known() == 0 })
}

// After a close the original client tries its old keys from a new port, and makes
// new ones only when nothing answers.
func TestAClientThatTriesOldKeysFromElsewhereHearsNothing(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	pass(t, client, server, "up")
	seen := r.losing(1000)
	_ = server.Close()
	eventually(t, "no goodbye", func() bool { return seen.Load() == 1 })
	r.move(s.listener.Addr().String())
	for range 3 {
		if err := client.WriteMessage([]byte("update")); err != nil {
			t.Fatal(err)
		}
	}
	other, server := s.connect(t, s.listener.Addr().String()) // comes after those
	pass(t, other, server, "up")
	if n := seen.Load(); n != 1 {
		t.Errorf("%d goodbyes", n)
	}
}

func TestGoodbyesAreNotSaidForEver(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	client, server := s.connect(t, r.address())
	pass(t, client, server, "up")
	seen := r.losing(1000)
	_ = server.Close()
	for range 3 * maxGoodbyes {
		if err := client.WriteMessage([]byte("still here")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "too few goodbyes", func() bool { return seen.Load() >= maxGoodbyes })
	server.(*udpConn).flow.lingering.Reset(0) // half a minute later
	eventually(t, "the client is known", func() bool { return s.known() == 0 })
	if seen.Load() > maxGoodbyes {
		t.Errorf("%d goodbyes", seen.Load())
	}
}

func TestAClientThatComesBackToItsAddressIsNotTakenForWhomWeLeft(t *testing.T) {
	s := newSite(t, ListenConfig{})
	r := newRelay(t, s.listener.Addr().String())
	_, server := s.connect(t, r.address())
	r.losing(1)
	_ = server.Close()
	client, server := s.connect(t, r.address())
	pass(t, client, server, "up")
	pass(t, server, client, "down")
	if n := s.known(); n != 1 {
		t.Errorf("%d clients are known", n)
	}
}

func TestNobodyIsWaitedForWhenThePortCloses(t *testing.T) {
	for name, first := range map[string]bool{"connections first": true, "port first": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			r := newRelay(t, s.listener.Addr().String())
			_, server := s.connect(t, r.address())
			r.losing(1)
			if first {
				_ = server.Close()
			}
			if err := s.listener.Close(); err != nil {
				t.Fatal(err)
			}
			_ = server.Close()
			again, err := Listen(s.listener.Addr().String(), s.listener.cfg)
			if err != nil {
				t.Fatal(err)
			}
			_ = again.Close()
		})
	}
}
