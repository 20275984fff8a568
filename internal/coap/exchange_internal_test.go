package coap

import (
	"testing"
	"time"
)

func TestAnAnswerBeforeTheCloseCounts(t *testing.T) {
	s := &Session{done: make(chan struct{})}
	close(s.done)
	for range 100 { // a choice between two is right by chance half the time
		x := &exchange{events: make(chan event, 1)}
		x.events <- event{message: &Message{Code: Changed}}
		if e, err := s.await(t.Context(), x, time.Minute); err != nil || e.message.Code != Changed {
			t.Fatalf("the answer was lost: %v", err)
		}
	}
}
