package program

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Make passes SIGTERM on to a program whose whole group has got it already, and
// mbl-sandbox to devices that somebody stopped by their name: the second one
// must not cut the tidying up short.
func TestARequestThatComesTwiceAtOnceIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, request := context.WithCancel(t.Context())
		var kills atomic.Bool
		killLater(ctx, func() { kills.Store(true) })
		request()
		time.Sleep(sameRequest - time.Millisecond)
		synctest.Wait()
		if kills.Load() {
			t.Error("a second signal kills at once")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if !kills.Load() {
			t.Error("a second signal does not kill later either")
		}
	})
}
