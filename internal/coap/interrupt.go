package coap

import (
	"context"
	"time"
)

// interruptBy makes reading from conn fail once ctx ends. The function it
// returns makes reading possible again.
func interruptBy(ctx context.Context, conn interface{ SetReadDeadline(time.Time) error }) (restore func()) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	return func() {
		if !stop() {
			<-interrupted
			_ = conn.SetReadDeadline(time.Time{})
		}
	}
}
