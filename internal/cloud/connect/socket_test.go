package connect_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
)

// fakeSocket is a client that takes what is sent until it fails.
type fakeSocket struct {
	mu     sync.Mutex
	sent   []string
	tried  []string // sent, or lost on the way
	failed bool
	closed []connect.SocketEnd
	ended  chan struct{}
}

func (f *fakeSocket) Send(_ context.Context, text []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried = append(f.tried, string(text))
	if f.failed {
		return errors.New("gone")
	}
	f.sent = append(f.sent, string(text))
	return nil
}

func (f *fakeSocket) Alive(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed {
		return errors.New("gone")
	}
	return nil
}

func (f *fakeSocket) Close(why connect.SocketEnd) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = append(f.closed, why)
}

func (f *fakeSocket) Ended() <-chan struct{} { return f.ended }

func (f *fakeSocket) fail() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = true
}

// texts are what was on its way to the client, whether or not it came.
func (f *fakeSocket) texts() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.tried)
}

// socket opens a socket, and waits at the test's end until it has ended.
func (s *stage) socket(serving *sync.WaitGroup) *fakeSocket {
	client := &fakeSocket{ended: make(chan struct{})}
	serving.Go(func() { s.ServeSocket(s.t.Context(), me, client) })
	synctest.Wait()
	return client
}

func (s *stage) wantsClosed(client *fakeSocket, wanted ...connect.SocketEnd) {
	s.t.Helper()
	synctest.Wait()
	client.mu.Lock()
	defer client.mu.Unlock()
	if !slices.Equal(client.closed, wanted) {
		s.t.Errorf("closed as %d instead of %d", client.closed, wanted)
	}
}

func (s *stage) wantsSent(client *fakeSocket, wanted ...string) {
	s.t.Helper()
	synctest.Wait()
	client.mu.Lock()
	defer client.mu.Unlock()
	s.wants(client.sent, wanted...)
	client.sent = nil
}

func (s *stage) registerSocket() {
	s.t.Helper()
	if created, err := s.RegisterSocket(s.t.Context(), me, cloud.ChannelSettings{}); err != nil || !created {
		s.t.Fatalf("created: %v, %v", created, err)
	}
}

func TestASocketGetsWhatCameBeforeItAndWhatComes(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		var serving sync.WaitGroup
		defer serving.Wait()
		s.wantsClosed(s.socket(&serving), connect.SocketNoChannel)
		s.registerSocket()
		if created, err := s.RegisterSocket(s.t.Context(), me, cloud.ChannelSettings{}); err != nil || created {
			t.Errorf("created again: %v, %v", created, err)
		}
		s.leave()
		s.leave()
		if status, err := s.SocketStatus(me); err != nil || status.Connected || status.Waiting != 2 {
			t.Errorf("%+v, %v", status, err)
		}
		client := s.socket(&serving)
		s.wantsSent(client, `{"de-registrations":["device","device"]}`)
		if status, err := s.SocketStatus(me); err != nil || !status.Connected || status.Waiting != 0 {
			t.Errorf("%+v, %v", status, err)
		}
		s.leave()
		s.wantsSent(client, deregistered)
		time.Sleep(25 * time.Hour)
		s.leave()
		s.wantsSent(client, deregistered)
		close(client.ended)
		s.wantsClosed(client)
	})
}

func TestASecondSocketReplacesTheFirst(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		var serving sync.WaitGroup
		defer serving.Wait()
		s.registerSocket()
		first := s.socket(&serving)
		second := s.socket(&serving)
		s.wantsClosed(first, connect.SocketReplaced)
		s.leave()
		s.wantsSent(first)
		s.wantsSent(second, deregistered)
		must(t, s.DeleteSocket(s.t.Context(), me))
		s.wantsClosed(second, connect.SocketReplaced)
		if _, err := s.SocketStatus(me); !errors.Is(err, connect.ErrNoChannel) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWhatASocketDidNotGetIsKeptForTheNext(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		var serving sync.WaitGroup
		defer serving.Wait()
		s.registerSocket()
		lost := s.socket(&serving)
		lost.fail()
		s.leave()
		s.wantsClosed(lost, connect.SocketLost)
		next := s.socket(&serving)
		s.wantsSent(next, deregistered)
		next.fail()
		time.Sleep(time.Minute) // found out by a ping
		s.wantsClosed(next, connect.SocketLost)
	})
}

func TestASocketEndsWithItsKeyAndWithTheService(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		var serving sync.WaitGroup
		defer serving.Wait()
		s.registerSocket()
		client := s.socket(&serving)
		s.KeyChanged(me.KeyID, cloud.KeyReset)
		s.wantsClosed(client, connect.SocketKeyLost)
		client = s.socket(&serving)
		s.restart()
		s.wantsClosed(client, connect.SocketRestart)
		client = s.socket(&serving)
		s.wantsClosed(client)
		s.KeyChanged(me.KeyID, cloud.KeyDeleted)
		s.wantsClosed(client, connect.SocketKeyLost)
	})
}

func TestAWebsocketChannelExpiresADayAfterItsLastSocket(t *testing.T) {
	play(t, connect.DefaultLimits(), func(s *stage) {
		var serving sync.WaitGroup
		defer serving.Wait()
		s.registerSocket()
		client := s.socket(&serving)
		time.Sleep(48 * time.Hour)
		close(client.ended)
		if time.Sleep(23 * time.Hour); s.ChannelKind(me) != connect.Websocket {
			t.Error("gone after 23 hours")
		}
		if time.Sleep(2 * time.Hour); s.ChannelKind(me) != connect.NoChannel || s.memory.count() > 0 {
			t.Error("there after 25 hours")
		}
	})
}
