package deviceapp

import (
	"context"
	"log/slog"
	"os"

	"mbl/internal/discovery"
	"mbl/internal/hostinfo"
)

// announceBoard makes the board known by mDNS if it is asked to, until ctx
// ends; the channel is closed when it has taken leave. A board where that
// is not possible works all the same.
func announceBoard(ctx context.Context, inv invocation, log *slog.Logger) <-chan struct{} {
	done := make(chan struct{})
	if inv.announce == 0 {
		close(done)
		return done
	}
	name, err := os.Hostname()
	if err != nil {
		log.Warn("the board's name is not known", "error", err)
		name = "mbl-device"
	}
	changed, err := hostinfo.WatchNetwork(ctx)
	if err != nil {
		log.Warn("changes of the network are noticed late", "error", err)
	}
	go func() {
		defer close(done)
		board := discovery.Board{Name: name, Host: name, Port: inv.announce, Changed: changed, Log: log}
		if err := discovery.AnnounceBoard(ctx, board); err != nil {
			log.Warn("the board is not announced", "error", err)
		}
	}()
	return done
}
