//go:build openssl

package openssl

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

func TestMessagesPassBothWays(t *testing.T) {
	for _, suite := range []Suite{CCM8, GCM} {
		t.Run(suite.String(), func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			s.dial.Suite = suite
			client, server := s.connect(t)
			for _, size := range []int{1, 4, 99, 1152, maxMessage} {
				pass(t, client, server, strings.Repeat("u", size))
				pass(t, server, client, strings.Repeat("d", size))
			}
			if client.Suite() != suite || server.Suite() != suite || server.Resumed() {
				t.Errorf("client has %v, server %v, resumed %v", client.Suite(), server.Suite(), server.Resumed())
			}
			if name := server.PeerCertificate().Subject.CommonName; name != "device" {
				t.Errorf("the server sees %q", name)
			}
			if name := client.PeerCertificate().Subject.CommonName; name != "not the host's name" {
				t.Errorf("the client sees %q", name)
			}
		})
	}
}

func TestMessageThatFitsNoRecordIsNotSent(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t)
	if err := server.WriteMessage(make([]byte, maxMessage+1)); err == nil {
		t.Fatal("sent")
	}
	pass(t, server, client, "the next one")
}

// tap stands between a client and a server and keeps what passes.
type tap struct {
	address  string
	finished sync.WaitGroup
	up, down bytes.Buffer // to be read when finished
}

func newTap(t *testing.T, server string) *tap {
	t.Helper()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{address: front.Addr().String()}
	p.finished.Go(func() {
		defer front.Close()
		client, err := front.Accept()
		if err != nil {
			return
		}
		back, err := net.Dial("tcp", server)
		if err != nil {
			t.Error(err)
			client.Close()
			return
		}
		p.finished.Go(func() { forward(client, back, &p.up) })
		forward(back, client, &p.down)
	})
	t.Cleanup(func() { front.Close() })
	return p
}

func forward(from, to net.Conn, keep io.Writer) {
	_, _ = io.Copy(io.MultiWriter(to, keep), from)
	_ = to.(*net.TCPConn).CloseWrite()
}

// count takes a stream apart and counts its records of one type.
func count(t *testing.T, stream *bytes.Buffer, kind byte) int {
	t.Helper()
	reader := recordReader{source: stream}
	for n := 0; ; {
		record, err := reader.next()
		switch {
		case errors.Is(err, io.EOF):
			return n
		case err != nil:
			t.Fatal(err)
		case record[0] == kind:
			n++
		}
	}
}

func TestOneMessageIsOneRecord(t *testing.T) {
	s := newSite(t, ListenConfig{})
	tap := newTap(t, s.address())
	client, err := Dial(limit(t), tap.address, s.dial)
	if err != nil {
		t.Fatal(err)
	}
	server := s.accept(t)
	const messages = 50
	var sending sync.WaitGroup
	for i := range messages {
		sending.Go(func() {
			if err := server.WriteMessage(bytes.Repeat([]byte{byte(i)}, 1+i*20)); err != nil {
				t.Error(err)
			}
		})
		sending.Go(func() {
			if err := client.WriteMessage(bytes.Repeat([]byte{byte(i)}, 1+i*20)); err != nil {
				t.Error(err)
			}
		})
	}
	for _, conn := range []*Conn{client, server} {
		for range messages {
			message, err := conn.ReadMessage(limit(t))
			if err != nil || len(message) != 1+int(message[0])*20 {
				t.Fatalf("read %d bytes, %v", len(message), err)
			}
		}
	}
	sending.Wait()
	_ = server.Close()
	_ = client.Close()
	tap.finished.Wait()
	if up, down := count(t, &tap.up, recordApplicationData), count(t, &tap.down, recordApplicationData); up != messages || down != messages {
		t.Errorf("%d records up, %d down, want %d", up, down, messages)
	}
}

func TestClosingTellsThePeer(t *testing.T) {
	for name, swap := range map[string]bool{"server closes": false, "client closes": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			tap := newTap(t, s.address())
			other, err := Dial(limit(t), tap.address, s.dial)
			if err != nil {
				t.Fatal(err)
			}
			closing, sent := s.accept(t), &tap.down
			if swap {
				other, closing, sent = closing, other, &tap.up
			}
			for range 2 {
				if err := closing.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := other.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
				t.Errorf("the other end reads %v", err)
			}
			if _, err := closing.ReadMessage(limit(t)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the closed end reads %v", err)
			}
			if err := closing.WriteMessage([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the closed end writes: %v", err)
			}
			_ = other.Close()
			tap.finished.Wait()
			if n := count(t, sent, recordAlert); n != 1 {
				t.Errorf("%d alerts, want close_notify alone", n)
			}
		})
	}
}

// Original clients go without close_notify.
func TestPeerThatJustGoesIsAtItsEnd(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t)
	if err := client.socket.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.ReadMessage(limit(t)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestWaitingReaderNoticesClose(t *testing.T) {
	s := newSite(t, ListenConfig{})
	_, server := s.connect(t)
	read := make(chan error)
	go func() {
		_, err := server.ReadMessage(limit(t))
		read <- err
	}()
	_ = server.Close()
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestReadingGoesOnAfterACancelledRead(t *testing.T) {
	s := newSite(t, ListenConfig{})
	client, server := s.connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := server.ReadMessage(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	pass(t, client, server, "still here")
}

func TestGarbageEndsAConnection(t *testing.T) {
	for name, garbage := range map[string][]byte{
		"not a record":       []byte("GET / HTTP/1.1\r\n\r\n"),
		"forged record":      append([]byte{recordApplicationData, 3, 3, 0, 40}, make([]byte, 40)...),
		"forged alert":       Alert(40).record(),
		"plaintext message":  {recordApplicationData, 3, 3, 0, 4, 0x40, 0, 0, 1},
		"record too long":    {recordApplicationData, 3, 3, 0xFF, 0xFF},
		"change cipher spec": {recordChangeCipherSpec, 3, 3, 0, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, ListenConfig{})
			client, server := s.connect(t)
			if _, err := client.socket.Write(garbage); err != nil {
				t.Fatal(err)
			}
			message, err := server.ReadMessage(limit(t))
			if err == nil || errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("read %q, %v", message, err)
			}
			_ = server.Close()
		})
	}
}
