package coap

import (
	"context"
	"io"
	"sync"
)

// maxWaiting is how many messages of a connection may wait to be read. What
// exceeds it is dropped, as a network would.
const maxWaiting = maxQueued

// inbox is the messages of a connection that nobody has read yet. They are
// handed to who attends it, or wait to be read. The zero value is empty. It
// holds nothing while there are none.
type inbox struct {
	handing sync.Mutex // held while a message is handed over: they keep their order

	mu      sync.Mutex
	take    func(message []byte) // whoever attends; nil: nobody
	ended   func(why error)
	waiting [][]byte
	arrived chan struct{} // closed when something comes; nil while nobody waits
	over    error         // why nothing more will come
}

// put adds a message.
func (b *inbox) put(message []byte) {
	b.handing.Lock()
	defer b.handing.Unlock()
	if take := b.keep(message); take != nil {
		take(message)
	}
}

// keep has a message wait, or returns who takes it.
func (b *inbox) keep(message []byte) (take func([]byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over != nil:
	case b.take != nil:
		return b.take
	case len(b.waiting) < maxWaiting:
		b.waiting = append(b.waiting, message)
		b.tell()
	}
	return nil
}

// attend has every message handed to take, one after the other, and ended
// called once, in a goroutine of its own, when nothing more will come. take
// must not wait. Nothing may be read then.
func (b *inbox) attend(take func(message []byte), ended func(why error)) {
	b.handing.Lock()
	defer b.handing.Unlock()
	b.mu.Lock()
	waiting := b.waiting
	b.take, b.ended, b.waiting = take, ended, nil
	over := b.over
	b.mu.Unlock()
	for _, message := range waiting {
		take(message)
	}
	if over != nil {
		go b.tellEnded(over)
	}
}

// tellEnded calls ended when no message is being handed over any more.
func (b *inbox) tellEnded(why error) {
	b.handing.Lock()
	b.mu.Lock()
	ended := b.ended
	b.ended = nil
	b.mu.Unlock()
	b.handing.Unlock()
	ended(why)
}

// end says that nothing more will come. What waits can still be read, unless
// the reader itself has closed.
func (b *inbox) end(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over == nil {
		b.over, b.take = why, nil
		b.tell()
		if b.ended != nil {
			go b.tellEnded(why)
		}
	}
	if why != io.EOF { //nolint:errorlint // ours, never wrapped
		b.waiting = nil
	}
}

func (b *inbox) tell() {
	if b.arrived != nil {
		close(b.arrived)
		b.arrived = nil
	}
}

// get waits for the next message. It returns ctx's error when ctx ends first.
func (b *inbox) get(ctx context.Context) ([]byte, error) {
	for {
		message, arrived, err := b.next()
		if message != nil || err != nil {
			return message, err
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// next returns the next message, or what to wait for, or why there is none.
func (b *inbox) next() (message []byte, arrived <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case len(b.waiting) > 0:
		message = b.waiting[0]
		if b.waiting = b.waiting[1:]; len(b.waiting) == 0 {
			b.waiting = nil
		}
		return message, nil, nil
	case b.over != nil:
		return nil, nil, b.over
	case b.arrived == nil:
		b.arrived = make(chan struct{})
	}
	return nil, b.arrived, nil
}
