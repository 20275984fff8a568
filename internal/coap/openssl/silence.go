package openssl

import (
	"container/list"
	"net"
	"sync"
	"time"

	"mbl/internal/coap"
)

const (
	// helloTimeout is how long a client may take to say what it is. Every
	// client says it as soon as it is connected.
	helloTimeout = 30 * time.Second
	// shedAfter is how long a connection may be silent when there is no room
	// for others, and shedPause how long its end may take.
	shedAfter = 2 * time.Second
	shedPause = 10 * time.Millisecond
)

// silence is the connections that have not said anything yet, the oldest
// first. When there is no room they are the first to go: whoever opens
// connections and leaves them so must not keep everybody else waiting.
type silence struct {
	refused func(coap.Transport, coap.Refusal)

	mu   sync.Mutex
	list *list.List // of silentConn
}

type silentConn struct {
	socket net.Conn
	since  time.Time
}

func newSilence(refused func(coap.Transport, coap.Refusal)) *silence {
	return &silence{refused: refused, list: list.New()}
}

// add counts a connection as silent until it is done.
func (s *silence) add(socket net.Conn) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	element := s.list.PushBack(silentConn{socket, time.Now()})
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list.Remove(element)
	}
}

// shed closes the connection that has been silent longest, if that was long
// enough, and tells when to look again.
func (s *silence) shed() (again time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := s.list.Front()
	if oldest == nil {
		return shedAfter
	}
	conn := oldest.Value.(silentConn)
	if wait := shedAfter - time.Since(conn.since); wait > 0 {
		return wait
	}
	s.list.Remove(oldest)
	conn.socket.Close()
	s.refused(coap.TCP, coap.RefusedSilent)
	return shedPause
}
