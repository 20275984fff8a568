package lwm2m

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/coap"
)

// overStream is a connection that says it is one of TCP.
type overStream struct{ coap.Conn }

func (overStream) RemoteAddr() net.Addr { return &net.TCPAddr{} }

func inStream(c *recordedConnection) (client, server coap.Conn) {
	client, server = inMemory(c)
	return client, overStream{server}
}

// copiesTo tells how many copies of a request reach a client that answers
// nothing for a while, and when it is given up.
func copiesTo(t *testing.T, over wire, busy time.Duration) (copies int, givenUp time.Duration) {
	t.Helper()
	s := newServersFor(t, &fakeService{}, time.Hour)
	p := s.connectOver(over, management, &recordedConnection{certificate: subject("L=" + deviceID + " OU=account CN=endpoint")})
	p.say("44020001" + "01020304" + "b27264" + "4b" + "65703d656e64706f696e74") // POST /rd?ep=endpoint
	p.mustReceive("the answer", coap.Created)
	began := time.Now()
	asked := make(chan time.Duration)
	go func() {
		_, err := s.management.Do(s.ctx, deviceID, &coap.Request{Code: coap.GET, Path: []string{"3", "0", "0"}})
		if !errors.Is(err, coap.ErrTimeout) {
			t.Errorf("the request ended with %v", err)
		}
		asked <- time.Since(began)
	}()
	waiting, stop := context.WithTimeout(s.ctx, busy)
	defer stop()
	for {
		if _, err := p.conn.ReadMessage(waiting); err != nil {
			break
		}
		copies++
	}
	return copies, <-asked
}

func TestABusyClientOverTCPIsNotOverwhelmedWithCopies(t *testing.T) {
	for name, c := range map[string]struct {
		over   wire
		busy   time.Duration
		copies int
	}{
		"over UDP":           {inMemory, 2 * time.Minute, 5},
		"a moment, over TCP": {inStream, 9 * time.Second, 1},
		"a while, over TCP":  {inStream, 2 * time.Minute, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				copies, givenUp := copiesTo(t, c.over, c.busy)
				if copies != c.copies {
					t.Errorf("%d copies", copies)
				}
				if givenUp < time.Minute || givenUp > 2*time.Minute {
					t.Errorf("given up after %v", givenUp)
				}
			})
		})
	}
}
